package io.deltarule.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Published data sets, whose counts are known from elsewhere; skipped where they are not found. */
class RealDataTest {
  private static final Path SHARED = Path.of("../../../shared/data");

  private static Dataset read(String name) {
    Path path = SHARED.resolve(name);
    assumeTrue(Files.exists(path), path + " is not there");
    return Datasets.read(path, CsvOptions.DEFAULT);
  }

  private static long count(Dataset data, String label) {
    LabelColumn labels = data.labels().orElseThrow();
    return IntStream.range(0, labels.rows()).filter(r -> labels.text(r).equals(label)).count();
  }

  @Test
  void wdbc() {
    Dataset data = read("wdbc/wdbc.csv");
    assertEquals(569, data.rows());
    assertEquals(30, data.inputs());
    assertEquals(212, count(data, "1")); // malignant
    assertEquals(17.99f, data.features()[0]);
  }

  @Test
  void mnist() {
    Dataset data = read("mnist/t10k-images-idx3-ubyte.gz");
    assertEquals(10_000, data.rows());
    assertEquals(784, data.inputs());
    assertEquals(980, count(data, "0"));
    assertEquals(1135, count(data, "1"));
    Standardizer learned =
        Standardizer.learn(
            data.features(), 784, IntStream.range(0, data.rows()).toArray(), Normalization.GLOBAL);
    assertEquals(0.1325, learned.mean()[0], 1e-4);
    assertEquals(0.3105, learned.deviation()[0], 1e-4);
    assertTrue(data.image());
  }
}
