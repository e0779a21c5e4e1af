package io.deltarule.cuda;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;

/**
 * Training where uploads that nothing waits for come first, and a block's threads backwards, on a
 * card that does not take stack_block.
 */
@Tag("kernels")
class FakeDriverReorderedTrainingTest extends FakeDriverTrainingTest {

  @BeforeEach
  void reorder() {
    FakeDriver.schedule(FakeDriver.Schedule.OTHERS_FIRST);
    FakeDriver.reverseThreads(true);
    FakeDriver.configure(1, 75, 12060, 1L << 32, 6);
  }
}
