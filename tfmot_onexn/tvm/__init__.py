"""Ship to TVM: builds with BSR kernels. The only room that imports ``tvm``."""
