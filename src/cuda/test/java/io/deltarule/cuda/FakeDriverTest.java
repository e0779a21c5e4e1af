package io.deltarule.cuda;

import static jcuda.driver.CUresult.CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
import static jcuda.driver.CUresult.CUDA_ERROR_ILLEGAL_ADDRESS;
import static jcuda.driver.CUresult.CUDA_ERROR_INVALID_CONTEXT;
import static jcuda.driver.CUresult.CUDA_ERROR_INVALID_IMAGE;
import static jcuda.driver.CUresult.CUDA_ERROR_INVALID_VALUE;
import static jcuda.driver.CUresult.CUDA_ERROR_LAUNCH_FAILED;
import static jcuda.driver.CUresult.CUDA_ERROR_NOT_READY;
import static jcuda.driver.CUresult.CUDA_ERROR_NOT_SUPPORTED;
import static jcuda.driver.CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU;
import static jcuda.driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY;
import static jcuda.driver.CUresult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
import static jcuda.driver.CUresult.CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
import static jcuda.driver.CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
import static jcuda.driver.CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
import static jcuda.driver.CUresult.CUDA_SUCCESS;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import jcuda.NativePointerObject;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUfunction;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The fake driver finds what it is there to find: each fault is planted and must be noticed. */
class FakeDriverTest {

  private static final int N = 100;
  private static final int GROUP = 64;

  private final CUcontext context = new CUcontext();
  private final CUmodule module = new CUmodule();
  private final CUdeviceptr memory = new CUdeviceptr();
  private String ptx;

  @BeforeEach
  void createContext() throws IOException {
    FakeDriver.load();
    JCudaDriver.setExceptionsEnabled(false);
    ok(JCudaDriver.cuInit(0));
    ok(JCudaDriver.cuCtxCreate(context, 0, device(0)));
    ptx = Files.readString(Path.of("test", "native", "probe.ptx"));
    ok(load(ptx));
    ok(JCudaDriver.cuMemAlloc(memory, 4 * N));
  }

  @AfterEach
  void forget() {
    FakeDriver.reset();
  }

  @Test
  void freshMemoryIsNaN() {
    assertAll(Float.NaN, read(floats(N), N));
  }

  @Test
  void memoryEndsWhereTheDeviceDoes() {
    assertEquals(CUDA_ERROR_OUT_OF_MEMORY, JCudaDriver.cuMemAlloc(new CUdeviceptr(), 5L << 30));
  }

  @Test
  void aCallWithoutAContextIsRefused() {
    ok(JCudaDriver.cuCtxPopCurrent(new CUcontext()));
    assertEquals(CUDA_ERROR_INVALID_CONTEXT, JCudaDriver.cuMemAlloc(new CUdeviceptr(), 4));
  }

  @Test
  void theNullStreamOrdersItself() {
    CUdeviceptr x = floats(N);
    ok(fill(x, 3, null));
    assertAll(3, read(x, N));
    assertNoMisuse();
  }

  @Test
  void aMissingSynchronisationReadsWhatWasThere() {
    CUdeviceptr x = floats(N);
    CUstream stream = stream();
    ok(fill(x, 3, stream));
    assertAll(Float.NaN, read(x, N));
    ok(JCudaDriver.cuStreamSynchronize(stream));
    assertAll(3, read(x, N));
  }

  @Test
  void aStreamDoesNotWaitForAnother() {
    CUdeviceptr x = floats(N);
    CUdeviceptr y = floats(N);
    CUstream first = stream();
    CUstream second = stream();
    ok(fill(x, 3, first));
    ok(increment(x, y, second));
    ok(JCudaDriver.cuCtxSynchronize());
    assertAll(Float.NaN, read(y, N));
  }

  @ParameterizedTest
  @EnumSource(FakeDriver.Schedule.class)
  void anEventOrdersStreams(FakeDriver.Schedule schedule) {
    FakeDriver.schedule(schedule);
    CUdeviceptr x = floats(N);
    CUdeviceptr y = floats(N);
    CUstream first = stream();
    CUstream second = stream();
    CUevent event = event();
    ok(fill(x, 3, first));
    ok(JCudaDriver.cuEventRecord(event, first));
    ok(JCudaDriver.cuStreamWaitEvent(second, event, 0));
    ok(increment(x, y, second));
    ok(JCudaDriver.cuStreamSynchronize(second));
    assertAll(4, read(y, N));
    assertNoMisuse();
  }

  @Test
  void aStreamThatOverwritesWhatAnotherReadsComesFirst() {
    CUdeviceptr x = floats(N);
    CUdeviceptr y = floats(N);
    CUstream reader = stream();
    CUstream writer = stream();
    ok(fill(x, 3, null));
    ok(JCudaDriver.cuCtxSynchronize());
    FakeDriver.schedule(FakeDriver.Schedule.OTHERS_FIRST);
    ok(increment(x, y, reader));
    ok(fill(x, 7, writer));
    ok(JCudaDriver.cuStreamSynchronize(reader));
    assertAll(8, read(y, N));
  }

  @Test
  void anEventIsNotReadyWhileItsWorkHasNotRun() {
    CUevent event = event();
    CUdeviceptr x = floats(N);
    CUstream stream = stream();
    ok(fill(x, 3, stream));
    ok(JCudaDriver.cuEventRecord(event, stream));
    assertEquals(CUDA_ERROR_NOT_READY, JCudaDriver.cuEventQuery(event));
    ok(JCudaDriver.cuEventQuery(event));
    assertAll(3, read(x, N));
  }

  @Test
  void useAfterFreeIsAnIllegalAccess() {
    CUdeviceptr x = floats(N);
    ok(JCudaDriver.cuMemFree(x));
    ok(fill(x, 3, null));
    assertEquals(CUDA_ERROR_ILLEGAL_ADDRESS, JCudaDriver.cuCtxSynchronize());
    assertMisuse("probe_fill: parameter 2 points to freed memory");
  }

  @Test
  void freeingTwiceIsNoted() {
    CUdeviceptr x = floats(N);
    ok(JCudaDriver.cuMemFree(x));
    assertEquals(CUDA_ERROR_INVALID_VALUE, JCudaDriver.cuMemFree(x));
    assertMisuse("[free] freed memory");
  }

  @Test
  void anAccessBeyondTheGuardIsIllegalAndSticks() {
    CUdeviceptr x = floats(N);
    ok(write(x, 200));
    assertEquals(CUDA_ERROR_ILLEGAL_ADDRESS, JCudaDriver.cuCtxSynchronize());
    assertMisuse(
        "probe_write: block (0, 0, 0), thread (0, 0, 0): access to offset 800 of an allocation of"
            + " 400 bytes");
    assertEquals(
        CUDA_ERROR_ILLEGAL_ADDRESS,
        JCudaDriver.cuMemAlloc(new CUdeviceptr(), 4),
        "a context in which a kernel has failed is lost");
  }

  @Test
  void anAccessBeforeTheMemoryIsNoticed() {
    CUdeviceptr x = floats(N);
    ok(write(x, -1));
    ok(JCudaDriver.cuMemFree(x));
    assertMisuse("[overrun]");
  }

  @Test
  void anOverrunIntoThePaddingIsNoticedWhenTheMemoryIsFreed() {
    CUdeviceptr x = floats(N);
    ok(write(x, N));
    ok(JCudaDriver.cuCtxSynchronize());
    assertNoMisuse();
    ok(JCudaDriver.cuMemFree(x));
    assertMisuse("[overrun]");
  }

  @Test
  void aCopyBeyondTheEndIsRefused() {
    CUdeviceptr x = floats(N);
    assertEquals(
        CUDA_ERROR_INVALID_VALUE,
        JCudaDriver.cuMemcpyHtoD(x, Pointer.to(new float[N + 1]), 4L * (N + 1)));
    assertMisuse("[cuMemcpyHtoD] 404 bytes at offset 0 of an allocation of 400 bytes");
  }

  @Test
  void asynchronousCopiesNeedPinnedMemory() {
    CUdeviceptr x = floats(N);
    CUstream stream = stream();
    assertEquals(
        CUDA_ERROR_INVALID_VALUE,
        JCudaDriver.cuMemcpyHtoDAsync(x, Pointer.to(new float[N]), 4 * N, stream));
    assertMisuse("[pageable] cuMemcpyHtoDAsync");
    Pointer pinned = new Pointer();
    ok(JCudaDriver.cuMemHostAlloc(pinned, 4 * N, 0));
    ok(JCudaDriver.cuMemcpyHtoDAsync(x, pinned, 4 * N, stream));
    ok(JCudaDriver.cuMemFreeHost(pinned));
  }

  @Test
  void launchesAreLimited() {
    CUdeviceptr x = floats(N);
    CUfunction fill = function("probe_fill");
    Pointer parameters = parameters(new int[] {N}, new float[] {3}, x);
    assertEquals(
        CUDA_ERROR_INVALID_VALUE,
        JCudaDriver.cuLaunchKernel(fill, 1, 1, 1, 128, 1, 1, 0, null, parameters, null));
    assertMisuse("[launch] probe_fill: 128 threads in a block, 64 at most");
    assertEquals(
        CUDA_ERROR_INVALID_VALUE,
        JCudaDriver.cuLaunchKernel(fill, 1, 65536, 1, GROUP, 1, 1, 0, null, parameters, null));
    assertEquals(
        CUDA_ERROR_INVALID_VALUE,
        JCudaDriver.cuLaunchKernel(fill, 0, 1, 1, GROUP, 1, 1, 0, null, parameters, null));
  }

  @Test
  void modulesAreCheckedAsTheDriverAndTheirTwinsRequire() {
    assertEquals(
        CUDA_ERROR_UNSUPPORTED_PTX_VERSION, load(ptx.replace(".version 7.8", ".version 9.0")));
    assertEquals(CUDA_ERROR_NO_BINARY_FOR_GPU, load(ptx.replace("sm_75", "sm_100")));
    assertEquals(CUDA_ERROR_INVALID_IMAGE, load(ptx.replace("// deltarule", "//")));
    assertEquals(CUDA_ERROR_INVALID_IMAGE, load(ptx.replace("-DWG=64", "-DWG=32")));
    assertEquals(
        CUDA_ERROR_INVALID_IMAGE,
        load(ptx.replace(".u64 probe_fill_param_2", ".u32 probe_fill_param_2")));
    assertMisuse("probe_fill of probe is not what the source has now");
  }

  @Test
  void theDriverVersionDecidesWhichPtxItTakes() {
    FakeDriver.reset();
    FakeDriver.configure(1, 75, 11070, 1 << 20, 4);
    ok(JCudaDriver.cuInit(0));
    ok(JCudaDriver.cuCtxCreate(context, 0, device(0)));
    assertEquals(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, load(ptx));
  }

  @Test
  void barriersAndShuffles() {
    CUdeviceptr x = floats(GROUP);
    CUdeviceptr sums = floats(2);
    float[] values = new float[GROUP];
    for (int i = 0; i < GROUP; i++) {
      values[i] = i;
    }
    ok(JCudaDriver.cuMemcpyHtoD(x, Pointer.to(values), 4 * GROUP));
    ok(launch("probe_sum", 1, GROUP, null, x, sums));
    assertArrayEquals(new float[] {63 * 64 / 2, 31 * 32 / 2}, read(sums, 2));
    assertNoMisuse();
  }

  @Test
  void theThreadsOfABlockRunInEitherOrder() {
    int[] forward = IntStream.range(0, GROUP).toArray();
    assertArrayEquals(forward, orderOfThreads());
    FakeDriver.reverseThreads(true);
    assertArrayEquals(
        IntStream.range(0, GROUP).map(i -> GROUP - 1 - i).toArray(), orderOfThreads());
  }

  @Test
  void aBarrierThatNotAllReachFails() {
    ok(launch("probe_divergence", 1, GROUP, null, floats(GROUP)));
    assertEquals(CUDA_ERROR_LAUNCH_FAILED, JCudaDriver.cuCtxSynchronize());
    assertMisuse("probe_divergence: not all threads of a block arrive at the same barrier");
  }

  @Test
  void theBlocksOfACooperativeLaunchWaitForEachOther() {
    int blocks = 6;
    int rounds = 20;
    CUdeviceptr arrived = floats(1);
    CUdeviceptr numbers = floats(3 * blocks);
    CUstream stream = stream();
    ok(JCudaDriver.cuMemsetD32Async(arrived, 0, 1, stream));
    ok(cooperative(blocks, rounds, arrived, numbers, stream));
    ok(JCudaDriver.cuStreamSynchronize(stream));
    float[] expected = new float[blocks];
    for (int i = 0; i < blocks; i++) {
      expected[i] = (i + rounds) % blocks;
    }
    float[] all = read(numbers, 3 * blocks);
    assertArrayEquals(expected, Arrays.copyOfRange(all, 2 * blocks, 3 * blocks));
  }

  @Test
  void aCooperativeLaunchMustFitTheDevice() {
    assertEquals(
        CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE,
        cooperative(4 * 32 + 1, 1, floats(1), floats(400), null));
  }

  @Test
  void aFailingBlockEndsTheOthersThatWaitForIt() {
    CUdeviceptr arrived = floats(1);
    ok(JCudaDriver.cuMemsetD32(arrived, 0, 1));
    /* The last of four blocks writes beyond the end and never arrives. */
    CUdeviceptr numbers = floats(GROUP).withByteOffset(4 * (GROUP - 7));
    ok(cooperative(4, 3, arrived, numbers, null));
    assertEquals(CUDA_ERROR_ILLEGAL_ADDRESS, JCudaDriver.cuCtxSynchronize());
  }

  @Test
  void aCaptureRunsWhenItsGraphIsLaunched() {
    CUdeviceptr x = floats(N);
    CUdeviceptr y = floats(N);
    CUstream stream = stream();
    ok(begin(stream));
    ok(JCudaDriver.cuMemsetD32Async(x, Float.floatToRawIntBits(3), N, stream));
    ok(increment(x, y, stream));
    CUgraph graph = new CUgraph();
    ok(JCudaDriver.cuStreamEndCapture(stream, graph));
    CUgraphExec exec = new CUgraphExec();
    ok(JCudaDriver.cuGraphInstantiate(exec, graph, 0));
    ok(JCudaDriver.cuGraphDestroy(graph));
    ok(JCudaDriver.cuStreamSynchronize(stream));
    assertAll(Float.NaN, read(y, N));
    for (int i = 0; i < 2; i++) {
      ok(fill(y, 0, stream));
      ok(JCudaDriver.cuGraphLaunch(exec, stream));
      ok(JCudaDriver.cuStreamSynchronize(stream));
      assertAll(4, read(y, N));
    }
    ok(JCudaDriver.cuGraphExecDestroy(exec));
    assertNoMisuse();
  }

  @Test
  void waitingDuringACaptureInvalidatesIt() {
    CUstream stream = stream();
    ok(begin(stream));
    assertEquals(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, JCudaDriver.cuStreamSynchronize(stream));
    assertEquals(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, fill(memory, 3, stream));
    assertEquals(
        CUDA_ERROR_STREAM_CAPTURE_INVALIDATED,
        JCudaDriver.cuStreamEndCapture(stream, new CUgraph()));
  }

  @Test
  void allocatingDuringACaptureInvalidatesIt() {
    CUstream stream = stream();
    ok(begin(stream));
    assertEquals(
        CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, JCudaDriver.cuMemAlloc(new CUdeviceptr(), 4));
    assertEquals(
        CUDA_ERROR_STREAM_CAPTURE_INVALIDATED,
        JCudaDriver.cuStreamEndCapture(stream, new CUgraph()));
  }

  @ParameterizedTest
  @EnumSource(FakeDriver.Schedule.class)
  void aForkedCaptureMustBeJoined(FakeDriver.Schedule schedule) {
    FakeDriver.schedule(schedule);
    CUdeviceptr x = floats(N);
    CUdeviceptr y = floats(N);
    CUstream main = stream();
    CUstream side = stream();
    CUevent fork = event();
    CUevent join = event();
    CUgraph graph = new CUgraph();
    for (boolean joined : new boolean[] {false, true}) {
      ok(begin(main));
      ok(JCudaDriver.cuEventRecord(fork, main));
      ok(JCudaDriver.cuStreamWaitEvent(side, fork, 0));
      ok(fill(x, 3, side));
      if (joined) {
        ok(JCudaDriver.cuEventRecord(join, side));
        ok(JCudaDriver.cuStreamWaitEvent(main, join, 0));
      }
      ok(increment(x, y, main));
      assertEquals(
          joined ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNJOINED,
          JCudaDriver.cuStreamEndCapture(main, graph));
    }
    CUgraphExec exec = new CUgraphExec();
    ok(JCudaDriver.cuGraphInstantiate(exec, graph, 0));
    ok(JCudaDriver.cuGraphLaunch(exec, main));
    ok(JCudaDriver.cuStreamSynchronize(main));
    assertAll(4, read(y, N));
  }

  @Test
  void anInjectedFailureComesOnceAndWithoutAnEffect() {
    FakeDriver.failNext("cuMemAlloc", 2, CUDA_ERROR_OUT_OF_MEMORY);
    floats(N);
    int before = FakeDriver.liveObjects().get("memory");
    assertEquals(CUDA_ERROR_OUT_OF_MEMORY, JCudaDriver.cuMemAlloc(new CUdeviceptr(), 4));
    assertEquals(0, FakeDriver.pendingFailures());
    assertEquals(before, FakeDriver.liveObjects().get("memory"));
    floats(N);
  }

  @Test
  void objectsAndCallsAreCounted() {
    CUstream stream = stream();
    CUevent event = event();
    assertEquals(
        Map.of("contexts", 1, "events", 1, "memory", 1, "modules", 1, "streams", 1),
        FakeDriver.liveObjects());
    ok(JCudaDriver.cuStreamDestroy(stream));
    ok(JCudaDriver.cuEventDestroy(event));
    ok(JCudaDriver.cuModuleUnload(module));
    ok(JCudaDriver.cuMemFree(memory));
    assertEquals(Map.of("contexts", 1), FakeDriver.liveObjects());
    ok(JCudaDriver.cuCtxDestroy(context));
    assertEquals(Map.of(), FakeDriver.liveObjects());
    assertEquals(1, FakeDriver.callCounts().get("cuStreamDestroy"));
  }

  @Test
  void devicesHaveMemoryOfTheirOwn() {
    FakeDriver.reset();
    FakeDriver.configure(2, 90, 12060, 1 << 20, 4);
    ok(JCudaDriver.cuInit(0));
    byte[] names = new byte[2 * 64];
    for (int i = 0; i < 2; i++) {
      byte[] name = new byte[64];
      ok(JCudaDriver.cuDeviceGetName(name, name.length, device(i)));
      System.arraycopy(name, 0, names, 64 * i, 64);
    }
    assertTrue(!Arrays.equals(names, 0, 64, names, 64, 128), "the devices have the same name");

    ok(JCudaDriver.cuCtxCreate(context, 0, device(0)));
    CUdeviceptr x = floats(N);
    CUcontext other = new CUcontext();
    ok(JCudaDriver.cuCtxCreate(other, 0, device(1)));
    ok(load(ptx));
    assertEquals(
        CUDA_ERROR_INVALID_VALUE, JCudaDriver.cuMemcpyHtoD(x, Pointer.to(new float[N]), 4 * N));
    assertMisuse("memory of another device");
    ok(JCudaDriver.cuCtxEnablePeerAccess(context, 0));
    ok(fill(x, 3, null));
    ok(JCudaDriver.cuCtxSynchronize());
    ok(JCudaDriver.cuCtxDisablePeerAccess(context));
    ok(fill(x, 3, null));
    assertEquals(CUDA_ERROR_ILLEGAL_ADDRESS, JCudaDriver.cuCtxSynchronize());
  }

  @Test
  void whatIsNotEmulatedIsRefusedAndNoted() {
    assertEquals(CUDA_ERROR_NOT_SUPPORTED, JCudaDriver.cuMemAllocManaged(new CUdeviceptr(), 4, 1));
    assertMisuse("[unexpected] cuMemAllocManaged is not emulated");
  }

  @Test
  void theJvmKeepsItsOwnFaults() {
    ok(write(floats(N), 1 << 20));
    assertEquals(CUDA_ERROR_ILLEGAL_ADDRESS, JCudaDriver.cuCtxSynchronize());
    int caught = 0;
    for (int i = 0; i < 100_000; i++) {
      try {
        caught += ((int[]) nothing(i)).length;
      } catch (NullPointerException e) {
        caught++;
      }
    }
    assertEquals(100_000, caught);
  }

  private static void ok(int status) {
    assertEquals(CUDA_SUCCESS, status, () -> CUresult.stringFor(status) + misuse());
  }

  private static String misuse() {
    return " " + FakeDriver.messages();
  }

  private static void assertMisuse(String text) {
    List<String> messages = FakeDriver.messages();
    assertTrue(messages.stream().anyMatch(message -> message.contains(text)), messages::toString);
  }

  private static void assertNoMisuse() {
    assertEquals(List.of(), FakeDriver.messages());
  }

  private static void assertAll(float expected, float[] values) {
    float[] all = new float[values.length];
    Arrays.fill(all, expected);
    assertArrayEquals(all, values);
  }

  private static CUdevice device(int ordinal) {
    CUdevice device = new CUdevice();
    ok(JCudaDriver.cuDeviceGet(device, ordinal));
    return device;
  }

  private static CUstream stream() {
    CUstream stream = new CUstream();
    ok(JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING));
    return stream;
  }

  private static CUevent event() {
    CUevent event = new CUevent();
    ok(JCudaDriver.cuEventCreate(event, 0));
    return event;
  }

  private static CUdeviceptr floats(int count) {
    CUdeviceptr memory = new CUdeviceptr();
    ok(JCudaDriver.cuMemAlloc(memory, 4L * count));
    return memory;
  }

  private static float[] read(CUdeviceptr memory, int count) {
    float[] values = new float[count];
    ok(JCudaDriver.cuMemcpyDtoH(Pointer.to(values), memory, 4L * count));
    return values;
  }

  private static int begin(CUstream stream) {
    return JCudaDriver.cuStreamBeginCapture(
        stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  }

  private int load(String text) {
    return JCudaDriver.cuModuleLoadData(module, (text + "\0").getBytes(StandardCharsets.US_ASCII));
  }

  private CUfunction function(String name) {
    CUfunction function = new CUfunction();
    ok(JCudaDriver.cuModuleGetFunction(function, module, name));
    return function;
  }

  private static Pointer parameters(Object... values) {
    Pointer[] pointers = new Pointer[values.length];
    for (int i = 0; i < values.length; i++) {
      pointers[i] = parameter(values[i]);
    }
    return Pointer.to(pointers);
  }

  private static Pointer parameter(Object value) {
    if (value instanceof int[] number) {
      return Pointer.to(number);
    } else if (value instanceof long[] number) {
      return Pointer.to(number);
    } else if (value instanceof float[] number) {
      return Pointer.to(number);
    }
    return Pointer.to((NativePointerObject) value);
  }

  private int launch(String name, int blocks, int threads, CUstream stream, Object... values) {
    return JCudaDriver.cuLaunchKernel(
        function(name), blocks, 1, 1, threads, 1, 1, 0, stream, parameters(values), null);
  }

  private int fill(CUdeviceptr x, float value, CUstream stream) {
    return launch("probe_fill", 2, GROUP, stream, new int[] {N}, new float[] {value}, x);
  }

  private int increment(CUdeviceptr x, CUdeviceptr y, CUstream stream) {
    return launch("probe_increment", 2, GROUP, stream, new int[] {N}, x, y);
  }

  private int write(CUdeviceptr x, long at) {
    return launch("probe_write", 1, 1, null, new long[] {at}, x);
  }

  private int cooperative(
      int blocks, int rounds, CUdeviceptr arrived, CUdeviceptr numbers, CUstream stream) {
    return JCudaDriver.cuLaunchCooperativeKernel(
        function("probe_grid"),
        blocks,
        1,
        1,
        GROUP,
        1,
        1,
        0,
        stream,
        parameters(new int[] {rounds}, arrived, numbers));
  }

  private int[] orderOfThreads() {
    CUdeviceptr next = floats(1);
    CUdeviceptr order = floats(GROUP);
    ok(JCudaDriver.cuMemsetD32(next, 0, 1));
    ok(launch("probe_order", 1, GROUP, null, next, order));
    int[] threads = new int[GROUP];
    ok(JCudaDriver.cuMemcpyDtoH(Pointer.to(threads), order, 4 * GROUP));
    return threads;
  }

  /** Compiled code finds a null pointer by the fault of reading it. */
  private static Object nothing(int i) {
    return i < 0 ? new int[0] : null;
  }
}
