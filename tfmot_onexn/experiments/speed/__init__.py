"""How fast kernels and networks are: what `make bench-delegate` and `bench-tvm` run.

delegate_speed  tvm_speed        all of it, for the delegate and for TVM builds
kernel_speed  depthwise_speed    single layers, by kernel_providers and kernel_timing
model_speed  tvm_models          whole networks, in turns
break_even  dense_rival          from which sparsity on, and beside TVM's own kernels
load_cost                        what loading a file costs
tile_defaults                    the tiles that come with the package
*_tables                         the tables of all of them
"""
