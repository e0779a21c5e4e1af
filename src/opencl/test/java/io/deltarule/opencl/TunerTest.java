package io.deltarule.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("kernels")
class TunerTest {

  @Test
  void keepsWhatItFinds(@TempDir Path folder) {
    Device device = TestDevice.small(TestDevice.require());
    CacheFolder cache = new CacheFolder(folder);
    List<String> progress = new ArrayList<>();
    String found = new Tuner(device, cache, progress::add).run(4);
    assertTrue(Files.exists(Tuning.file(cache, device)), found);
    assertTrue(found.contains(Tuning.file(cache, device).toString()), found);
    Tuning tuning = Tuning.load(cache, device);
    assertTrue(tuning.tiles().stream().allMatch(tile -> tile.fits(device)));
    assertTrue(progress.size() > tuning.tiles().size(), progress::toString);
    String last = tuning.tiles().get(tuning.tiles().size() - 1).options();
    assertTrue(progress.stream().anyMatch(line -> line.contains(last)), progress::toString);
    assertTrue(progress.stream().noneMatch(line -> line.contains("is wrong")), progress::toString);
    assertEquals(0, Cl.live());
  }
}
