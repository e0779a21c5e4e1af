package io.deltarule.engine;

/** The contract itself, on matrices that are not large. */
class LargeMatricesContractTest extends LargeMatricesContract {

  LargeMatricesContractTest() {
    super(1 << 17);
  }

  @Override
  protected Engine open(Precision precision) {
    return precision == Precision.FP32 ? new ReferenceEngine() : null;
  }
}
