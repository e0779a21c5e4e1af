package io.deltarule.cuda;

import static jcuda.cudaDataType.CUDA_R_16BF;
import static jcuda.cudaDataType.CUDA_R_32F;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemsetD32Async;
import static jcuda.jcublas.JCublas2.cublasCreate;
import static jcuda.jcublas.JCublas2.cublasDestroy;
import static jcuda.jcublas.JCublas2.cublasGemmEx_new;
import static jcuda.jcublas.JCublas2.cublasSetStream;
import static jcuda.jcublas.JCublas2.cublasSetWorkspace;
import static jcuda.jcublas.cublasComputeType.CUBLAS_COMPUTE_32F;
import static jcuda.jcublas.cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32;
import static jcuda.jcublas.cublasGemmAlgo.CUBLAS_GEMM_DEFAULT;
import static jcuda.jcublas.cublasOperation.CUBLAS_OP_N;
import static jcuda.jcublas.cublasOperation.CUBLAS_OP_T;

import io.deltarule.engine.EngineException;
import io.deltarule.engine.EngineMemoryException;
import io.deltarule.engine.Precision;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The three matrix products of a layer by cuBLAS, on one stream. Owns the handle and its workspace.
 *
 * <p>Matrices here are row-major, cuBLAS's are column-major: it sees the transpose of each. So the
 * transposed equation is what it is asked for, with the factors swapped: {@code Z = X W'} becomes
 * {@code Z' = W X'}. In it X' and Z' are X and Z as they lie in memory, and W has to be transposed,
 * as the library sees W'. The leading dimension is the pitch.
 */
final class Cublas implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Cublas.class);

  private static final Pointer ONE = Pointer.to(new float[] {1});
  private static final Pointer ZERO = Pointer.to(new float[] {0});

  private final CUstream stream;
  private final cublasHandle handle = new cublasHandle();
  private final CUdeviceptr workspace = new CUdeviceptr();

  /**
   * Creates a handle for the calling thread's context, with the workspace that NVIDIA recommends. A
   * fixed one lets calls be captured into a graph, and gives the same bits each time.
   *
   * @param stream on which all products run
   * @param workspaceBytes see {@link #workspaceBytes}
   * @throws EngineException if the library refuses, such as on too old a driver
   */
  Cublas(CUstream stream, long workspaceBytes) {
    this.stream = stream;
    check(cublasCreate(handle), "cublasCreate()");
    try {
      checkDriver(
          cuMemAlloc(workspace, workspaceBytes), "cuMemAlloc(%d bytes for cuBLAS)", workspaceBytes);
    } catch (RuntimeException | Error e) {
      destroyHandle();
      throw e;
    }
    try {
      // In this order: setting the stream takes the workspace away.
      check(cublasSetStream(handle, new cudaStream_t(stream)), "cublasSetStream()");
      check(
          cublasSetWorkspace(handle, workspace, workspaceBytes),
          "cublasSetWorkspace(%d bytes)",
          workspaceBytes);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /**
   * The bytes of device memory that a handle needs beside the matrices.
   *
   * @param computeMajor the first number of the device's compute capability, 9 for Hopper
   */
  static long workspaceBytes(int computeMajor) {
    return (computeMajor >= 9 ? 32L : 4L) << 20;
  }

  /**
   * A factor as it lies in memory.
   *
   * @param address of its first element; 16-bit elements with bf16
   * @param pitch from the start of a row to that of the next, in elements
   */
  record Factor(CUdeviceptr address, int pitch) {}

  /**
   * {@code Z = X W'}.
   *
   * @param x [m x k]
   * @param w [n x k]
   * @param z [m x n], 32-bit
   */
  void forward(Precision precision, Factor x, Factor w, CUdeviceptr z, int m, int n, int k) {
    multiply("X W'", precision, CUBLAS_OP_T, w, CUBLAS_OP_N, x, z, m, n, k);
  }

  /**
   * {@code E = D W}.
   *
   * @param d [m x k]
   * @param w [k x n]
   * @param e [m x n], 32-bit
   */
  void propagate(Precision precision, Factor d, Factor w, CUdeviceptr e, int m, int n, int k) {
    multiply("D W", precision, CUBLAS_OP_N, w, CUBLAS_OP_N, d, e, m, n, k);
  }

  /**
   * {@code dW = D' A}.
   *
   * @param d [k x m]
   * @param a [k x n]
   * @param dw [m x n], 32-bit
   */
  void gradient(Precision precision, Factor d, Factor a, CUdeviceptr dw, int m, int n, int k) {
    multiply("D' A", precision, CUBLAS_OP_N, a, CUBLAS_OP_T, d, dw, m, n, k);
  }

  /**
   * The transposed product, {@code result' [n x m] = right' [n x k] left' [k x m]} in column-major.
   *
   * @param transposeRight whether cuBLAS has to transpose the right factor as it sees it
   */
  private void multiply(
      String product,
      Precision precision,
      int transposeRight,
      Factor right,
      int transposeLeft,
      Factor left,
      CUdeviceptr result,
      int m,
      int n,
      int k) {
    if (m == 0 || n == 0) {
      return;
    }
    if (k == 0) { // an empty sum; cuBLAS refuses leading dimensions of 0
      checkDriver(
          cuMemsetD32Async(result, 0, (long) m * n, stream), "cuMemsetD32Async([%d x %d])", m, n);
      return;
    }
    int type = precision == Precision.BF16 ? CUDA_R_16BF : CUDA_R_32F;
    // Only what asks for TF32 may use it: CUBLAS_COMPUTE_32F keeps all bits of 32-bit factors.
    int compute = precision == Precision.TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    // JCublas2's function of the same name without _new refuses these types, and says nothing.
    check(
        cublasGemmEx_new(
            handle,
            transposeRight,
            transposeLeft,
            n,
            m,
            k,
            ONE,
            right.address(),
            type,
            right.pitch(),
            left.address(),
            type,
            left.pitch(),
            ZERO,
            result,
            CUDA_R_32F,
            n,
            compute,
            CUBLAS_GEMM_DEFAULT),
        "cublasGemmEx_new(%s, m=%d, n=%d, k=%d, %s)",
        product,
        m,
        n,
        k,
        precision.spelling());
  }

  /** Frees the handle and the workspace, after the queued products that use them. */
  @Override
  public void close() {
    destroyHandle();
    int status = cuMemFree(workspace);
    if (status != CUresult.CUDA_SUCCESS) {
      LOG.warn("cuda: cuMemFree(workspace) failed: {}", CUresult.stringFor(status));
    }
  }

  private void destroyHandle() {
    int status;
    synchronized (Context.CAPTURES) {
      status = cublasDestroy(handle);
    }
    if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
      LOG.warn("cuda: cublasDestroy failed: {}", cublasStatus.stringFor(status));
    }
  }

  private static void check(int status, String call, Object... sizes) {
    if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
      throw failure(
          cublasStatus.stringFor(status),
          status == cublasStatus.CUBLAS_STATUS_ALLOC_FAILED,
          call,
          sizes);
    }
  }

  private static void checkDriver(int status, String call, Object... sizes) {
    if (status != CUresult.CUDA_SUCCESS) {
      throw failure(
          CUresult.stringFor(status), status == CUresult.CUDA_ERROR_OUT_OF_MEMORY, call, sizes);
    }
  }

  private static EngineException failure(
      String status, boolean memory, String call, Object... sizes) {
    String message = "cuda: " + call.formatted(sizes) + " failed: " + status;
    return memory ? new EngineMemoryException(message, null) : new EngineException(message);
  }
}
