package io.deltarule.bench;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.bytedeco.javacpp.Loader;

/**
 * OpenBLAS on Java's own arrays: JavaCPP brings and loads the library, and java.lang.foreign calls
 * it without copying, which JavaCPP's own binding cannot.
 */
final class OpenBlas {
  private static final int ROW_MAJOR = 101;
  private static final int AS_IS = 111;
  private static final int TRANSPOSED = 112;

  private static final MethodHandle SGEMM;
  private static final MethodHandle SET_THREADS;
  private static final MethodHandle CONFIG;
  private static final MethodHandle CORE;

  static {
    Loader.load(org.bytedeco.openblas.global.openblas.class);
    ValueLayout.OfInt i = ValueLayout.JAVA_INT;
    ValueLayout.OfFloat f = ValueLayout.JAVA_FLOAT;
    AddressLayout p = ValueLayout.ADDRESS;
    SGEMM =
        function(
            "cblas_sgemm",
            FunctionDescriptor.ofVoid(i, i, i, i, i, i, f, p, i, p, i, f, p, i),
            Linker.Option.critical(true));
    SET_THREADS = function("openblas_set_num_threads", FunctionDescriptor.ofVoid(i));
    CONFIG = function("openblas_get_config", FunctionDescriptor.of(p));
    CORE = function("openblas_get_corename", FunctionDescriptor.of(p));
  }

  private OpenBlas() {}

  private static MethodHandle function(
      String name, FunctionDescriptor type, Linker.Option... options) {
    MemorySegment address =
        SymbolLookup.loaderLookup()
            .find(name)
            .orElseThrow(() -> new UnsatisfiedLinkError("OpenBLAS has no " + name));
    return Linker.nativeLinker().downcallHandle(address, type, options);
  }

  /** C [m x n] = op(A) op(B); all row-major. */
  static void multiply(
      Multiplier.Order order, float[] a, float[] b, float[] c, int m, int n, int k) {
    boolean ta = order == Multiplier.Order.TN;
    boolean tb = order == Multiplier.Order.NT;
    try {
      SGEMM.invokeExact(
          ROW_MAJOR,
          ta ? TRANSPOSED : AS_IS,
          tb ? TRANSPOSED : AS_IS,
          m,
          n,
          k,
          1f,
          MemorySegment.ofArray(a),
          ta ? m : k,
          MemorySegment.ofArray(b),
          tb ? k : n,
          0f,
          MemorySegment.ofArray(c),
          n);
    } catch (Throwable e) {
      throw failed("cblas_sgemm", e);
    }
  }

  static void use(int threads) {
    try {
      SET_THREADS.invokeExact(threads);
    } catch (Throwable e) {
      throw failed("openblas_set_num_threads", e);
    }
  }

  /** The version and the kernels that were chosen for this processor, or by OPENBLAS_CORETYPE. */
  static String version() {
    try {
      String config = text((MemorySegment) CONFIG.invokeExact());
      String core = text((MemorySegment) CORE.invokeExact());
      return config.replaceAll("^(OpenBLAS \\S+).*", "$1") + ", " + core + " kernels";
    } catch (Throwable e) {
      throw failed("openblas_get_config", e);
    }
  }

  private static String text(MemorySegment pointer) {
    return pointer.reinterpret(Long.MAX_VALUE).getString(0);
  }

  private static IllegalStateException failed(String call, Throwable cause) {
    return new IllegalStateException(call + " failed", cause);
  }
}
