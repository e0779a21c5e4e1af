package io.deltarule.cuda;

import static jcuda.driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY;
import static jcuda.driver.CUresult.CUDA_SUCCESS;

import io.deltarule.engine.EngineException;
import java.util.Arrays;
import java.util.stream.Collectors;
import jcuda.driver.CUresult;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The driver's statuses: what fails is an {@link EngineException} that names the call, the status
 * and the sizes; what fails while releasing is only logged.
 */
final class Cuda {
  private static final Logger LOG = LoggerFactory.getLogger(Cuda.class);

  private Cuda() {}

  static void check(int status, String call) {
    if (status != CUDA_SUCCESS) {
      throw failure(status, call);
    }
  }

  static void check(int status, String call, Object size) {
    if (status != CUDA_SUCCESS) {
      throw failure(status, call, size);
    }
  }

  static EngineException failure(int status, String call, Object... sizes) {
    String list = Arrays.stream(sizes).map(Object::toString).collect(Collectors.joining(", "));
    return new EngineException(
        "cuda: " + call + "(" + list + ") failed: " + CUresult.stringFor(status));
  }

  static boolean outOfMemory(int status) {
    return status == CUDA_ERROR_OUT_OF_MEMORY;
  }

  /** For calls that free something. */
  static void warn(int status, String call) {
    if (status != CUDA_SUCCESS) {
      LOG.warn("cuda: {} failed: {}", call, CUresult.stringFor(status));
    }
  }
}
