package io.deltarule.cuda;

import io.deltarule.engine.Availability;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.EngineProvider;
import io.deltarule.engine.EngineUnavailableException;
import io.deltarule.engine.Precision;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Provides the engine of NVIDIA cards. */
public final class CudaEngineProvider implements EngineProvider {

  static final String NAME = "cuda";

  private static final Logger LOG = LoggerFactory.getLogger(CudaEngineProvider.class);

  private static boolean warned;

  /** For ServiceLoader. */
  public CudaEngineProvider() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int rank() {
    return 20;
  }

  @Override
  public Availability probe() {
    Devices devices = Devices.find();
    if (devices.all().isEmpty()) {
      return Availability.unusable(devices.reason(), devices.remedy());
    }
    return Availability.usable(devices + "; " + cublas());
  }

  @Override
  public Engine open(EngineOptions options) {
    if (options.threads() != 0) {
      throw new EngineUnavailableException("cuda: has no threads; leave --threads out");
    }
    Device device = Devices.find().choose(options.device());
    CublasSearch cublas = CublasLoader.load();
    requirePrecision(options.precision(), device, cublas);
    boolean blas = cublas.library().isPresent();
    if (!blas && !warned) {
      warned = true;
      LOG.warn(
          "cuda: {}; products of wide layers run on slower kernels; {}",
          cublas.describe(),
          CublasSearch.REMEDY);
    }
    return new CudaEngine(device, options.precision(), blas, Products.Rule.DEFAULT);
  }

  private static String cublas() {
    try {
      return CublasLoader.load().describe();
    } catch (EngineUnavailableException e) {
      return e.getMessage();
    }
  }

  private static void requirePrecision(Precision precision, Device device, CublasSearch cublas) {
    if (precision == Precision.FP32) {
      return;
    }
    String asked = "cuda: precision " + precision.spelling();
    if (device.capability() < Device.AMPERE) {
      throw new EngineUnavailableException(
          asked + " needs compute capability 8.0, not " + device + "; use fp32");
    }
    if (cublas.library().isEmpty()) {
      throw new EngineUnavailableException(
          asked + ": " + cublas.describe() + "; " + CublasSearch.REMEDY + ", or use fp32");
    }
  }
}
