package io.deltarule.cuda;

import static jcuda.cudaDataType.CUDA_R_16BF;
import static jcuda.cudaDataType.CUDA_R_32F;
import static jcuda.jcublas.cublasOperation.CUBLAS_OP_N;
import static jcuda.jcublas.cublasOperation.CUBLAS_OP_T;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The fake cuBLAS multiplies, rounds as a card does, and obeys streams and captures. */
class FakeCublasTest {

  /* The values of cublasComputeType_t. */
  private static final int COMPUTE_32F = 68;
  private static final int COMPUTE_32F_FAST_16BF = 75;
  private static final int COMPUTE_32F_FAST_TF32 = 77;

  private static final int WORKSPACE = 1 << 16;

  private final CUcontext context = new CUcontext();
  private final CUstream stream = new CUstream();
  private final cublasHandle handle = new cublasHandle();
  private CUdeviceptr workspace;

  @BeforeEach
  void createHandle() {
    FakeDriver.load();
    FakeDriver.loadCublas(12);
    JCudaDriver.setExceptionsEnabled(false);
    JCublas2.setExceptionsEnabled(false);
    ok(JCudaDriver.cuInit(0));
    CUdevice device = new CUdevice();
    ok(JCudaDriver.cuDeviceGet(device, 0));
    ok(JCudaDriver.cuCtxCreate(context, 0, device));
    ok(JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING));
    workspace = bytes(WORKSPACE);
    ok(JCublas2.cublasCreate(handle));
    ok(JCublas2.cublasSetStream(handle, new cudaStream_t(stream)));
    ok(JCublas2.cublasSetWorkspace(handle, workspace, WORKSPACE));
  }

  @AfterEach
  void destroyHandle() {
    ok(JCublas2.cublasDestroy(handle));
    assertEquals(null, FakeDriver.liveObjects().get("cublasHandles"));
    FakeDriver.reset();
  }

  @Test
  void multipliesColumnMajor() {
    /* A = (1 2; 3 4; 5 6) of 3 x 2, B of 2 x 2 = (1 0; 2 1), C = A B' + 10 C. */
    CUdeviceptr a = floats(1, 3, 5, 2, 4, 6);
    CUdeviceptr b = floats(1, 2, 0, 1);
    CUdeviceptr c = floats(1, 1, 1, 2, 2, 2);
    ok(
        JCublas2.cublasSgemm(
            handle, CUBLAS_OP_N, CUBLAS_OP_T, 3, 2, 2, one(), a, 3, b, 2, number(10), c, 3));
    ok(JCudaDriver.cuStreamSynchronize(stream));
    assertArrayEquals(new float[] {11, 13, 15, 24, 30, 36}, read(c, 6));
    assertEquals(List.of(), FakeDriver.messages());
  }

  @Test
  void betaZeroDoesNotReadTheResult() {
    CUdeviceptr a = floats(2);
    CUdeviceptr c = floats(Float.NaN);
    ok(multiply(a, CUDA_R_32F, c, COMPUTE_32F));
    assertArrayEquals(new float[] {4}, read(c, 1));
  }

  @Test
  void factorsAreRoundedToThePrecisionOfTheComputation() {
    float x = 1 + 1.5f / (1 << 11); /* between neighbours of both reduced precisions */
    CUdeviceptr a = floats(x);
    CUdeviceptr c = floats(0);
    ok(multiply(a, CUDA_R_32F, c, COMPUTE_32F));
    assertArrayEquals(new float[] {x * x}, read(c, 1));
    ok(multiply(a, CUDA_R_32F, c, COMPUTE_32F_FAST_TF32));
    float tf32 = 1 + 1f / (1 << 10);
    assertArrayEquals(new float[] {tf32 * tf32}, read(c, 1));
    ok(multiply(a, CUDA_R_32F, c, COMPUTE_32F_FAST_16BF));
    assertArrayEquals(new float[] {1}, read(c, 1));
  }

  @Test
  void bfloat16FactorsGiveFloatOrBfloat16() {
    CUdeviceptr a = bytes(2);
    ok(JCudaDriver.cuMemcpyHtoD(a, Pointer.to(new short[] {0x3F81}), 2)); /* 1 + 1/128 */
    float square = (1 + 1f / 128) * (1 + 1f / 128);
    CUdeviceptr c = floats(0);
    ok(multiply(a, CUDA_R_16BF, c, CUDA_R_32F, COMPUTE_32F));
    assertArrayEquals(new float[] {square}, read(c, 1));
    ok(multiply(a, CUDA_R_16BF, c, CUDA_R_16BF, COMPUTE_32F));
    short[] half = new short[1];
    ok(JCudaDriver.cuMemcpyDtoH(Pointer.to(half), c, 2));
    assertEquals(0x3F82, half[0]);
    assertEquals(
        cublasStatus.CUBLAS_STATUS_NOT_SUPPORTED,
        multiply(a, CUDA_R_16BF, c, CUDA_R_32F, COMPUTE_32F_FAST_TF32));
  }

  @Test
  void aProductIsWorkOfTheStream() {
    CUdeviceptr a = floats(2);
    CUdeviceptr c = floats(Float.NaN);
    ok(enqueue(a, CUDA_R_32F, c, CUDA_R_32F, COMPUTE_32F));
    assertArrayEquals(new float[] {Float.NaN}, read(c, 1));
    ok(JCudaDriver.cuStreamSynchronize(stream));
    assertArrayEquals(new float[] {4}, read(c, 1));
  }

  @Test
  void aProductIsCaptured() {
    CUdeviceptr a = floats(2);
    CUdeviceptr c = floats(Float.NaN);
    CUgraph graph = new CUgraph();
    CUgraphExec exec = new CUgraphExec();
    ok(
        JCudaDriver.cuStreamBeginCapture(
            stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    ok(enqueue(a, CUDA_R_32F, c, CUDA_R_32F, COMPUTE_32F));
    ok(JCudaDriver.cuStreamEndCapture(stream, graph));
    ok(JCudaDriver.cuGraphInstantiate(exec, graph, 0));
    ok(JCudaDriver.cuCtxSynchronize());
    assertArrayEquals(new float[] {Float.NaN}, read(c, 1));
    ok(JCudaDriver.cuGraphLaunch(exec, stream));
    ok(JCudaDriver.cuStreamSynchronize(stream));
    assertArrayEquals(new float[] {4}, read(c, 1));
  }

  @Test
  void settingTheStreamTakesTheWorkspaceAway() {
    CUdeviceptr a = floats(2);
    ok(JCublas2.cublasSetStream(handle, new cudaStream_t(stream)));
    ok(multiply(a, CUDA_R_32F, floats(0), COMPUTE_32F));
    assertMisuse("no workspace was set after the stream");
  }

  @Test
  void anOperandBeyondItsMemoryIsRefused() {
    CUdeviceptr a = floats(2);
    assertEquals(
        cublasStatus.CUBLAS_STATUS_EXECUTION_FAILED,
        JCublas2.cublasSgemm(
            handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 1, 1, one(), a, 2, a, 1, number(0), a, 2));
    assertMisuse("[cublasSgemm] 8 bytes at offset 0 of an allocation of 4 bytes");
  }

  @Test
  void failuresAreInjected() {
    FakeDriver.failNext("cublasGemmEx", 1, cublasStatus.CUBLAS_STATUS_INTERNAL_ERROR);
    CUdeviceptr a = floats(2);
    assertEquals(
        cublasStatus.CUBLAS_STATUS_INTERNAL_ERROR, multiply(a, CUDA_R_32F, floats(0), COMPUTE_32F));
    ok(multiply(a, CUDA_R_32F, floats(0), COMPUTE_32F));
    assertEquals(2, FakeDriver.callCounts().get("cublasGemmEx"));
  }

  @Test
  void whatIsNotEmulatedIsNoted() {
    assertEquals(
        cublasStatus.CUBLAS_STATUS_NOT_SUPPORTED,
        JCublas2.cublasSscal(handle, 1, one(), floats(1), 1));
    assertMisuse("[unexpected] cublasSscal is not emulated");
  }

  @Test
  void namesItsVersion() {
    int[] version = new int[1];
    ok(JCublas2.cublasGetVersion(handle, version));
    assertEquals(120600, version[0]);
    assertTrue(FakeDriver.environment(12).get("LD_LIBRARY_PATH").endsWith("cublas12"));
  }

  /** c = a a for a 1 x 1 matrix a, and waits. */
  private int multiply(CUdeviceptr a, int typeA, CUdeviceptr c, int compute) {
    return multiply(a, typeA, c, CUDA_R_32F, compute);
  }

  private int multiply(CUdeviceptr a, int typeA, CUdeviceptr c, int typeC, int compute) {
    int status = enqueue(a, typeA, c, typeC, compute);
    ok(JCudaDriver.cuStreamSynchronize(stream));
    return status;
  }

  private int enqueue(CUdeviceptr a, int typeA, CUdeviceptr c, int typeC, int compute) {
    return JCublas2.cublasGemmEx_new(
        handle,
        CUBLAS_OP_N,
        CUBLAS_OP_N,
        1,
        1,
        1,
        one(),
        a,
        typeA,
        1,
        a,
        typeA,
        1,
        number(0),
        c,
        typeC,
        1,
        compute,
        cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
  }

  private static Pointer one() {
    return number(1);
  }

  private static Pointer number(float value) {
    return Pointer.to(new float[] {value});
  }

  private static void ok(int status) {
    assertEquals(0, status, () -> FakeDriver.messages().toString());
  }

  private static void assertMisuse(String text) {
    List<String> messages = FakeDriver.messages();
    assertTrue(messages.stream().anyMatch(message -> message.contains(text)), messages::toString);
  }

  private static CUdeviceptr bytes(int count) {
    CUdeviceptr memory = new CUdeviceptr();
    ok(JCudaDriver.cuMemAlloc(memory, count));
    return memory;
  }

  private static CUdeviceptr floats(float... values) {
    CUdeviceptr memory = bytes(4 * values.length);
    ok(JCudaDriver.cuMemcpyHtoD(memory, Pointer.to(values), 4L * values.length));
    return memory;
  }

  private static float[] read(CUdeviceptr memory, int count) {
    float[] values = new float[count];
    ok(JCudaDriver.cuMemcpyDtoH(Pointer.to(values), memory, 4L * count));
    return values;
  }
}
