/**
 * The OpenCL engine, through JOCL: {@link io.deltarule.opencl.OpenClEngineProvider} finds a device,
 * and the equations run there as the kernels of the folder kernels.
 */
package io.deltarule.opencl;
