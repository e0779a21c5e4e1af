package io.deltarule.cuda;

import io.deltarule.engine.Engine;
import io.deltarule.engine.LargeMatricesContract;
import io.deltarule.engine.Precision;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/** The contract itself in all precisions, on matrices that are not large. */
@Tag("kernels")
@ExtendWith(FakeCard.class)
class FakeDriverLargeMatricesTest extends LargeMatricesContract {

  /** As on a card, the many rows are left to cuBLAS, the few are not. */
  private static final Products.Rule FEW_ARE_SMALL = new Products.Rule(500_000, 800);

  FakeDriverLargeMatricesTest() {
    super(1 << 17);
  }

  @Override
  protected Engine open(Precision precision) {
    return FakeCard.open(precision, true, FEW_ARE_SMALL);
  }
}
