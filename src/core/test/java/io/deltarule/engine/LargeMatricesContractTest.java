package io.deltarule.engine;

import java.util.List;

/** The contract itself, on matrices that are not large. */
class LargeMatricesContractTest extends LargeMatricesContract {

  LargeMatricesContractTest() {
    super(1 << 17);
  }

  @Override
  protected Engine open(Precision precision) {
    return new ReferenceEngine();
  }

  @Override
  protected List<Precision> precisions() {
    return List.of(Precision.FP32);
  }
}
