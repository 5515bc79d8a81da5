# libplumb_cuda.so: every *.cu of the tree, opened with dlopen by models/device.cpp. AUTO builds it where nvcc is found,
# so that machines without a GPU still compile and link every kernel.
