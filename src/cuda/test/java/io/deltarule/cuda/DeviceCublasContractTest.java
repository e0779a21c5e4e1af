package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineContract;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Precision;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.extension.ExtendWith;

/** The contract on the card of this machine, with all products on its cuBLAS. */
@EnabledIfSystemProperty(named = "deltarule.cuda.device", matches = "true")
@ExtendWith(CardInUse.class)
class DeviceCublasContractTest extends EngineContract {

  @Override
  protected Engine open(EngineOptions options) {
    Device device = Devices.find().choose("");
    assertTrue(CublasLoader.load().library().isPresent(), () -> CublasLoader.load().describe());
    return new CudaEngine(device, Precision.FP32, true, FakeCard.NONE_SMALL);
  }

  @Override
  protected int[] threads() {
    return new int[] {0};
  }
}
