import pytest

from tfmot_onexn.tvm import vm_runtime


def test_a_file_that_is_no_build_is_refused(tmp_path):
    file = tmp_path / "model.so"
    file.write_bytes(b"\x7fELF and nothing else")
    with pytest.raises(ValueError, match=r"model.so is no TVM build of `onexn build`"):
        vm_runtime.load(file)
