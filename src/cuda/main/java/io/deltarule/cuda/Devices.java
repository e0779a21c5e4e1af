package io.deltarule.cuda;

import static jcuda.driver.CUresult.CUDA_ERROR_NO_DEVICE;
import static jcuda.driver.CUresult.CUDA_SUCCESS;
import static jcuda.driver.JCudaDriver.cuDeviceGetCount;
import static jcuda.driver.JCudaDriver.cuDriverGetVersion;
import static jcuda.driver.JCudaDriver.cuInit;

import io.deltarule.engine.Availability;
import io.deltarule.engine.EngineException;
import io.deltarule.engine.EngineUnavailableException;
import io.deltarule.engine.spi.DeviceChoice;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/**
 * The usable cards, the newest and then the largest first.
 *
 * @param all those cards; empty if there are none
 * @param reason why there are none, or why one is left out, in a line; otherwise empty
 * @param remedy what helps
 */
record Devices(List<Device> all, String reason, String remedy) {
  private static final String REMEDY = "look at nvidia-smi and at the log of the NVIDIA driver";

  /** Looks for cards; never throws. */
  static Devices find() {
    Availability driver = Natives.driver();
    if (!driver.usable()) {
      return none(driver.detail(), driver.remedy());
    }
    try {
      return search();
    } catch (EngineException e) {
      return none(e.getMessage(), REMEDY);
    }
  }

  private static Devices none(String reason, String remedy) {
    return new Devices(List.of(), reason, remedy);
  }

  private static Devices search() {
    JCudaDriver.setExceptionsEnabled(false); // another user of JCuda may have enabled them
    int status = cuInit(0);
    int[] count = new int[1];
    if (status == CUDA_SUCCESS) {
      status = cuDeviceGetCount(count);
    }
    if (status == CUDA_ERROR_NO_DEVICE || (status == CUDA_SUCCESS && count[0] == 0)) {
      return none(
          "the NVIDIA driver is here, but finds no card",
          "look at nvidia-smi and at CUDA_VISIBLE_DEVICES");
    }
    if (status != CUDA_SUCCESS) {
      return none(
          "the NVIDIA driver does not start: cuInit failed: " + CUresult.stringFor(status),
          "look at nvidia-smi; after an update of the driver, restart the machine");
    }
    int[] version = new int[1];
    Cuda.check(cuDriverGetVersion(version), "cuDriverGetVersion");
    List<Device> found = new ArrayList<>();
    String failure = "";
    for (int i = 0; i < count[0]; i++) {
      try {
        found.add(Device.of(i, version[0]));
      } catch (EngineException e) { // the others may be sound
        failure = "card " + i + ": " + e.getMessage();
      }
    }
    List<Device> usable =
        found.stream()
            .filter(Device::usable)
            .sorted(
                Comparator.comparingInt(Device::capability)
                    .thenComparingLong(Device::bytes)
                    .reversed())
            .toList();
    if (!usable.isEmpty()) {
      return new Devices(usable, failure, "");
    }
    return failure.isEmpty() ? tooOld(found.get(0)) : none(failure, REMEDY);
  }

  private static Devices tooOld(Device device) {
    return device.driver() < Device.OLDEST_DRIVER
        ? none(
            "the NVIDIA driver serves CUDA %s, and %s is needed"
                .formatted(Device.version(device.driver()), Device.version(Device.OLDEST_DRIVER)),
            "update the driver to version 520 or newer")
        : none(
            device + " is too old: the kernels need compute capability 7.5 (Turing)",
            "use --engine opencl for this card");
  }

  /**
   * The card that is asked for.
   *
   * @param wish a number from 0 or a part of a name; empty for the best
   * @throws EngineUnavailableException if there is none, naming those that there are
   */
  Device choose(String wish) {
    if (all.isEmpty()) {
      throw new EngineUnavailableException("cuda: " + reason + "; " + remedy);
    }
    return DeviceChoice.choose("cuda", all, wish);
  }

  @Override
  public String toString() {
    return DeviceChoice.list(all) + (reason.isEmpty() ? "" : "; one is left out: " + reason);
  }
}
