package io.deltarule.opencl;

import static org.jocl.CL.CL_PROGRAM_BINARIES;
import static org.jocl.CL.CL_PROGRAM_BINARY_SIZES;
import static org.jocl.CL.CL_SUCCESS;
import static org.jocl.CL.clGetProgramInfo;

import io.deltarule.engine.EngineException;
import java.util.Optional;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_context;
import org.jocl.cl_program;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Builds programs for a device; a later process takes the binary from the cache. */
final class Programs {
  private static final Logger LOG = LoggerFactory.getLogger(Programs.class);
  private static final String KIND = "opencl-program";

  /** Never -cl-fast-relaxed-math: NaN and infinities count. */
  private static final String STANDARD = "-cl-std=CL1.2 ";

  private final cl_context context;
  private final Device device;
  private final CacheFolder cache;

  Programs(cl_context context, Device device, CacheFolder cache) {
    this.context = context;
    this.device = device;
    this.cache = cache;
  }

  /**
   * A program, to be released by the caller.
   *
   * @param source the text
   * @param macros such as {@code -DWG=64}
   * @throws EngineException with the compiler's log
   */
  cl_program build(String source, String macros) {
    String options = STANDARD + macros;
    String key = device.identity() + "\n" + options + "\n" + source;
    Optional<byte[]> binary = cache.read(KIND, key);
    if (binary.isPresent()) {
      try {
        return built(Cl.program(context, device, binary.get()), options);
      } catch (EngineException e) {
        LOG.debug("the cached program is refused and built anew: {}", e.getMessage());
      }
    }
    cl_program program = built(Cl.program(context, source), options);
    binary(program).ifPresent(bytes -> cache.write(KIND, key, bytes));
    return program;
  }

  private cl_program built(cl_program program, String options) {
    try {
      Cl.build(program, device, options);
      return program;
    } catch (EngineException e) {
      Cl.release(program);
      throw e;
    }
  }

  private static Optional<byte[]> binary(cl_program program) {
    long[] size = new long[1];
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, 8, Pointer.to(size), null) != CL_SUCCESS
        || size[0] == 0) {
      return Optional.empty();
    }
    byte[] bytes = new byte[(int) size[0]];
    Pointer pointers = Pointer.to(Pointer.to(bytes));
    return clGetProgramInfo(program, CL_PROGRAM_BINARIES, Sizeof.POINTER, pointers, null)
            == CL_SUCCESS
        ? Optional.of(bytes)
        : Optional.empty();
  }
}
