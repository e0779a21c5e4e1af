package io.deltarule.opencl;

import io.deltarule.engine.Availability;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.EngineProvider;
import io.deltarule.engine.EngineUnavailableException;
import io.deltarule.engine.Precision;
import java.util.function.Consumer;

/** Provides the engine of OpenCL devices: GPUs for the automatic choice, any by name. */
public final class OpenClEngineProvider implements EngineProvider {

  static final String NAME = "opencl";

  /** For ServiceLoader. */
  public OpenClEngineProvider() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int rank() {
    return 10;
  }

  @Override
  public Availability probe() {
    Devices devices = Devices.find();
    if (devices.all().isEmpty()) {
      return Availability.unusable(devices.reason(), devices.remedy());
    }
    boolean gpu = !devices.all().get(0).cpu();
    return Availability.usable(devices + (gpu ? "" : "; a CPU only by --engine opencl"));
  }

  @Override
  public Engine open(EngineOptions options) {
    Device device = device(options);
    CacheFolder cache = CacheFolder.ofUser();
    return new OpenClEngine(device, Tuning.load(cache, device), cache);
  }

  @Override
  public Engine openAutomatically(EngineOptions options) {
    Device device = device(options);
    if (device.cpu() && options.device().isEmpty()) {
      throw new EngineUnavailableException(
          "opencl: only the CPU (%s), which is host's; --engine opencl takes it anyway"
              .formatted(device));
    }
    return open(options);
  }

  @Override
  public String tune(EngineOptions options, double seconds, Consumer<String> progress) {
    Device device = device(options);
    return new Tuner(device, CacheFolder.ofUser(), progress).run(seconds);
  }

  private static Device device(EngineOptions options) {
    if (options.precision() != Precision.FP32) {
      throw new EngineUnavailableException(
          "opencl: has no precision %s; use %s"
              .formatted(options.precision().spelling(), Precision.FP32.spelling()));
    }
    if (options.threads() != 0) {
      throw new EngineUnavailableException(
          "opencl: the driver decides on threads; leave --threads out");
    }
    return Devices.find().choose(options.device());
  }
}
