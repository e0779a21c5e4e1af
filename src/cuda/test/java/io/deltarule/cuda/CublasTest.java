package io.deltarule.cuda;

import static jcuda.cudaDataType.CUDA_R_32F;
import static jcuda.jcublas.cublasComputeType.CUBLAS_COMPUTE_32F;
import static jcuda.jcublas.cublasGemmAlgo.CUBLAS_GEMM_DEFAULT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.cuda.Cublas.Factor;
import io.deltarule.engine.EngineException;
import io.deltarule.engine.EngineMemoryException;
import io.deltarule.engine.Precision;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasStatus;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The products on the fake driver, against plain loops in double precision. */
class CublasTest {
  private static final long WORKSPACE = Cublas.workspaceBytes(8);

  private TestContext context;

  @BeforeEach
  void open() {
    FakeDriver.load();
    FakeDriver.loadCublas(12);
    assertTrue(Natives.driver().usable(), () -> Natives.driver().toString());
    assertTrue(CublasLoader.load().library().isPresent(), () -> CublasLoader.load().describe());
    context = new TestContext();
  }

  @AfterEach
  void nothingIsLeft() {
    context.close();
    assertEquals(Map.of(), FakeDriver.liveObjects());
    assertEquals(List.of(), FakeDriver.messages());
  }

  private Cublas open(long workspaceBytes) {
    return new Cublas(context.stream(), workspaceBytes);
  }

  private static float[] random(int size, Random random) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static float at(float[] matrix, int columns, boolean transposed, int row, int column) {
    return transposed ? matrix[column * columns + row] : matrix[row * columns + column];
  }

  /** {@code C [m x n] = op(A) op(B)}, of row-major matrices of so many columns. */
  private static double[] product(
      float[] a,
      int aColumns,
      boolean ta,
      float[] b,
      int bColumns,
      boolean tb,
      int m,
      int n,
      int k) {
    double[] c = new double[m * n];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        for (int p = 0; p < k; p++) {
          c[i * n + j] += (double) at(a, aColumns, ta, i, p) * at(b, bColumns, tb, p, j);
        }
      }
    }
    return c;
  }

  private interface Product {
    void run(Cublas cublas, CUdeviceptr left, CUdeviceptr right, CUdeviceptr result);
  }

  private void check(float[] left, float[] right, double[] expected, int k, Product product) {
    float[] poison = new float[expected.length];
    Arrays.fill(poison, Float.NaN);
    CUdeviceptr result = context.upload(poison);
    try (Cublas cublas = open(WORKSPACE)) {
      product.run(cublas, context.upload(left), context.upload(right), result);
      float[] actual = context.download(result, expected.length);
      for (int i = 0; i < expected.length; i++) {
        assertEquals(expected[i], actual[i], 1e-6 * k, "element " + i);
      }
    }
  }

  @Test
  void theThreeProductsOfALayer() {
    int[][] shapes = {{1, 1, 1}, {2, 3, 5}, {7, 1, 4}, {1, 6, 2}, {13, 17, 31}};
    for (int[] shape : shapes) {
      int m = shape[0];
      int n = shape[1];
      int k = shape[2];
      Random random = new Random(m);
      float[] x = random(m * k, random);
      float[] w = random(n * k, random);
      check(
          x,
          w,
          product(x, k, false, w, k, true, m, n, k),
          k,
          (cublas, l, r, z) ->
              cublas.forward(Precision.FP32, new Factor(l, k), new Factor(r, k), z, m, n, k));
      check(
          x,
          w,
          product(x, k, false, w, n, false, m, n, k),
          k,
          (cublas, l, r, e) ->
              cublas.propagate(Precision.FP32, new Factor(l, k), new Factor(r, n), e, m, n, k));
      check(
          x,
          w,
          product(x, m, true, w, n, false, m, n, k),
          k,
          (cublas, l, r, dw) ->
              cublas.gradient(Precision.FP32, new Factor(l, m), new Factor(r, n), dw, m, n, k));
    }
  }

  @Test
  void eachPrecisionKeepsItsBits() {
    float tiny = 0x1p-20f; // beside 1: for fp32 alone
    float small = 0x1p-9f; // for tf32 too
    Factor one = new Factor(context.upload(1), 1);
    Factor x = new Factor(context.upload(1 + tiny, 1 + small), 1);
    CUdeviceptr z = context.upload(0, 0);
    try (Cublas cublas = open(WORKSPACE)) {
      cublas.forward(Precision.FP32, x, one, z, 2, 1, 1);
      assertArrayEquals(new float[] {1 + tiny, 1 + small}, context.download(z, 2));
      cublas.forward(Precision.TF32, x, one, z, 2, 1, 1);
      assertArrayEquals(new float[] {1, 1 + small}, context.download(z, 2));
      cublas.forward(
          Precision.BF16,
          new Factor(context.uploadHalves(1.5f, Float.NaN, -2, Float.NaN), 2),
          new Factor(context.uploadHalves(1.0078125f, Float.NaN), 2),
          z,
          2,
          1,
          1);
      assertArrayEquals(new float[] {1.51171875f, -2.015625f}, context.download(z, 2));
    }
  }

  @Test
  void anEmptySumIsZeroAndAnEmptyResultIsNothing() {
    Factor some = new Factor(context.upload(1, 2, 3, 4), 2);
    CUdeviceptr result = context.upload(Float.NaN, Float.NaN, 5, 5);
    try (Cublas cublas = open(WORKSPACE)) {
      cublas.gradient(Precision.FP32, some, some, result, 1, 2, 0);
      assertArrayEquals(new float[] {0, 0, 5, 5}, context.download(result, 4));
      cublas.forward(Precision.FP32, some, some, result, 0, 2, 2);
      cublas.propagate(Precision.FP32, some, some, result, 2, 0, 2);
      assertArrayEquals(new float[] {0, 0, 5, 5}, context.download(result, 4));
    }
    assertFalse(FakeDriver.callCounts().containsKey("cublasGemmEx"));
  }

  @Test
  void aFailureNamesTheCallTheSizesAndTheStatus() {
    CUdeviceptr result = context.upload(0, 0);
    Factor some = new Factor(context.upload(1, 2, 3, 4, 5, 6), 3);
    try (Cublas cublas = open(WORKSPACE)) {
      FakeDriver.failNext("cublasGemmEx", 1, cublasStatus.CUBLAS_STATUS_EXECUTION_FAILED);
      EngineException e =
          assertThrows(
              EngineException.class,
              () -> cublas.propagate(Precision.TF32, some, some, result, 1, 2, 3));
      assertEquals(
          "cuda: cublasGemmEx_new(D W, m=1, n=2, k=3, tf32) failed: CUBLAS_STATUS_EXECUTION_FAILED",
          e.getMessage());
      FakeDriver.failNext("cuMemsetD32Async", 1, CUresult.CUDA_ERROR_INVALID_VALUE);
      e =
          assertThrows(
              EngineException.class,
              () -> cublas.forward(Precision.FP32, some, some, result, 1, 2, 0));
      assertEquals(
          "cuda: cuMemsetD32Async([1 x 2]) failed: CUDA_ERROR_INVALID_VALUE", e.getMessage());
    }
  }

  @Test
  void whatFailsToOpenLeavesNothing() {
    FakeDriver.failNext("cublasCreate", 1, cublasStatus.CUBLAS_STATUS_NOT_INITIALIZED);
    assertOpenFails(EngineException.class, "cublasCreate()");
    FakeDriver.failNext("cuMemAlloc", 1, CUresult.CUDA_ERROR_OUT_OF_MEMORY);
    assertOpenFails(EngineMemoryException.class, "cuMemAlloc(4194304 bytes for cuBLAS)");
    FakeDriver.failNext("cublasSetStream", 1, cublasStatus.CUBLAS_STATUS_INTERNAL_ERROR);
    assertOpenFails(EngineException.class, "cublasSetStream()");
    FakeDriver.failNext("cublasSetWorkspace", 1, cublasStatus.CUBLAS_STATUS_ALLOC_FAILED);
    assertOpenFails(EngineMemoryException.class, "cublasSetWorkspace(4194304 bytes)");
    assertEquals(0, FakeDriver.pendingFailures());
  }

  private void assertOpenFails(Class<? extends EngineException> type, String call) {
    String message = assertThrows(type, () -> open(WORKSPACE)).getMessage();
    assertTrue(message.startsWith("cuda: " + call + " failed: C"), message);
  }

  @Test
  void hopperGetsALargerWorkspace() {
    assertEquals(4 << 20, Cublas.workspaceBytes(8));
    assertEquals(32 << 20, Cublas.workspaceBytes(9));
  }

  /** Why the products end in _new: see {@link JCudaTrapsTest}. */
  @Test
  void theOldFunctionOfJCublasNeverReachesCublas() {
    CUdeviceptr some = context.upload(1, 2, 3, 4);
    Pointer one = Pointer.to(new float[] {1});
    cublasHandle handle = new cublasHandle();
    assertEquals(0, JCublas2.cublasCreate(handle));
    int status =
        JCublas2.cublasGemmEx(
            handle,
            0,
            0,
            1,
            1,
            1,
            one,
            some,
            CUDA_R_32F,
            1,
            some,
            CUDA_R_32F,
            1,
            one,
            some,
            CUDA_R_32F,
            1,
            CUBLAS_COMPUTE_32F,
            CUBLAS_GEMM_DEFAULT);
    assertEquals(cublasStatus.CUBLAS_STATUS_NOT_SUPPORTED, status);
    assertFalse(FakeDriver.callCounts().containsKey("cublasGemmEx"));
    assertEquals(0, JCublas2.cublasDestroy(handle));
  }

  /** Why graphs are instantiated anew: see {@link JCudaTrapsTest}. */
  @Test
  void jCudaHasNoUpdateOfGraphsAndNoInfoOnCaptures() {
    assertThrows(
        UnsupportedOperationException.class,
        () -> JCudaDriver.cuGraphExecUpdate(new CUgraphExec(), new CUgraph(), null, null));
    assertThrows(
        UnsupportedOperationException.class,
        () -> JCudaDriver.cuStreamGetCaptureInfo(context.stream(), new int[1], new long[1]));
  }
}
