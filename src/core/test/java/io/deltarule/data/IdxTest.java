package io.deltarule.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class IdxTest {
  private static final CsvOptions AUTO = CsvOptions.DEFAULT;

  @TempDir Path directory;

  private static byte[] idx(int type, int[] dimensions, byte... data) {
    ByteBuffer bytes = ByteBuffer.allocate(4 + 4 * dimensions.length + data.length);
    bytes.put((byte) 0).put((byte) 0).put((byte) type).put((byte) dimensions.length);
    Arrays.stream(dimensions).forEach(bytes::putInt);
    return bytes.put(data).array();
  }

  private static byte[] bytes(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }

  private static byte[] gzip(byte[] content) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream out = new GZIPOutputStream(bytes)) {
      out.write(content);
    }
    return bytes.toByteArray();
  }

  private Path write(String name, byte[] bytes) throws IOException {
    return Files.write(directory.resolve(name), bytes);
  }

  private Path images() throws IOException {
    return write("t-images-idx3-ubyte", idx(8, new int[] {2, 1, 2}, bytes(0, 255, 51, 102)));
  }

  private static void assertFails(String message, Path path, CsvOptions options) {
    assertEquals(
        message,
        assertThrows(InputException.class, () -> Datasets.read(path, options)).getMessage());
  }

  private static String text(Dataset data, int row) {
    return data.labels().orElseThrow().text(row);
  }

  @ParameterizedTest
  @CsvSource({
    "t-images-idx3-ubyte, t-labels-idx1-ubyte",
    "t-images-idx3-ubyte, t-labels-idx1-ubyte.gz",
    "t-images-idx3-ubyte.gz, t-labels-idx1-ubyte.gz",
    "t-images-idx3-ubyte.gz, t-labels-idx1-ubyte",
    "images.idx3-ubyte, labels.idx1-ubyte"
  })
  void readsImagesAndTheLabelsBesideThem(String imagesName, String labelsName) throws Exception {
    byte[] images = idx(8, new int[] {2, 1, 2}, bytes(0, 255, 51, 102));
    byte[] labels = idx(8, new int[] {2}, bytes(7, 200));
    Path path = write(imagesName, imagesName.endsWith(".gz") ? gzip(images) : images);
    Path beside = write(labelsName, labelsName.endsWith(".gz") ? gzip(labels) : labels);
    Dataset data = Datasets.read(path, AUTO);
    assertEquals(2, data.rows());
    assertEquals(List.of("p0", "p1"), data.featureNames());
    assertArrayEquals(new float[] {0, 1, 0.2f, 0.4f}, data.features());
    assertTrue(data.image());
    assertFalse(data.header());
    assertEquals("label", data.labels().orElseThrow().name());
    assertEquals("200", text(data, 1));
    assertEquals(beside + ": item 2", data.labels().orElseThrow().where(1));
  }

  @Test
  void readsEveryTypeOfElement() throws Exception {
    float[] expected = {1, -2};
    int[] shape = {2, 1};
    write("labels.idx1-ubyte", idx(8, new int[] {2}, bytes(0, 1)));
    byte[][] files = {
      idx(0x09, shape, bytes(1, -2)),
      idx(0x0B, shape, ByteBuffer.allocate(4).putShort((short) 1).putShort((short) -2).array()),
      idx(0x0C, shape, ByteBuffer.allocate(8).putInt(1).putInt(-2).array()),
      idx(0x0D, shape, ByteBuffer.allocate(8).putFloat(1).putFloat(-2).array()),
      idx(0x0E, shape, ByteBuffer.allocate(16).putDouble(1).putDouble(-2).array())
    };
    for (byte[] file : files) {
      Dataset data = Datasets.read(write("images.bin", file), label("labels.idx1-ubyte"));
      assertArrayEquals(expected, data.features());
      assertFalse(data.image());
    }
  }

  private CsvOptions label(String name) {
    return AUTO.withLabel(directory.resolve(name).toString());
  }

  @Test
  void readsMoreThanABlock() throws Exception {
    byte[] pixels = new byte[300 * 1000];
    IntStream.range(0, pixels.length).forEach(i -> pixels[i] = (byte) (i % 251));
    Path path = write("images", idx(8, new int[] {300, 10, 100}, pixels));
    write("labels", idx(8, new int[] {300}, new byte[300]));
    float[] features = Datasets.read(path, AUTO).features();
    for (int i = 0; i < pixels.length; i++) {
      assertEquals((i % 251) / 255f, features[i]);
    }
  }

  /** Its numbers may go up to 255, or be called by other names. */
  @Test
  void aModelOfATableTakesNoImages() throws Exception {
    Path path = images();
    for (List<String> names : List.of(List.of("c1", "c2"), List.of("a", "p1"))) {
      Layout layout = new Layout(names, "label", false, false);
      assertEquals(
          path
              + ": images, but the model was trained on a table, whose numbers may be scaled"
              + " otherwise; give a table",
          assertThrows(InputException.class, () -> Datasets.read(path, AUTO, layout)).getMessage());
    }
  }

  @Test
  void labelsAreOptionalForPrediction() throws Exception {
    Path path = images();
    Layout layout = new Layout(List.of("p0", "p1"), "label", false, false);
    assertTrue(Datasets.read(path, AUTO, layout).labels().isEmpty());
    assertFails(
        path
            + ": no labels beside it (neither t-labels-idx1-ubyte nor t-labels-idx1-ubyte.gz); pass"
            + " --label FILE",
        path,
        AUTO);
    Path other = write("pictures", Files.readAllBytes(path));
    assertFails(
        other + ": the labels' file is not known, as the name lacks 'images'; pass --label FILE",
        other,
        AUTO);
    assertFails("--label 'a\\u0000b': not a path", other, AUTO.withLabel("a\0b"));
    Path missing = directory.resolve("missing");
    assertFails(missing + ": no such file", other, label("missing"));
  }

  @Test
  void aLayoutOfAnotherSizeIsRefused() throws Exception {
    Path path = images();
    assertEquals(
        path + ": 2 x 1 x 2 has 2 values an item, the model has 1 features",
        assertThrows(
                InputException.class,
                () -> Datasets.read(path, AUTO, new Layout(List.of("a"), "y", true, false)))
            .getMessage());
  }

  @Test
  void imagesAndLabelsMustBelongTogether() throws Exception {
    Path path = images();
    Path labels = write("t-labels-idx1-ubyte", idx(8, new int[] {3}, bytes(0, 1, 2)));
    assertFails(
        labels + ": 3 labels, but " + path + " has 2 items; they do not belong together",
        path,
        AUTO);
    write("t-labels-idx1-ubyte", idx(8, new int[] {2, 1}, bytes(0, 1)));
    assertFails(labels + ": 2 x 1 has 2 dimensions, labels have one", path, AUTO);
    assertFails(
        path + ": one dimension only, as a file of labels has; name the file of images",
        write("t-images-idx3-ubyte", idx(8, new int[] {2}, bytes(0, 1))),
        AUTO);
  }

  @Test
  void malformedFilesAreRefused() throws Exception {
    String name = "t-images-idx3-ubyte";
    write("t-labels-idx1-ubyte", idx(8, new int[] {2}, bytes(0, 1)));
    Path path = directory.resolve(name);
    String magic = path + ": not an IDX file (its first bytes are no IDX magic)";
    assertFails(magic, write(name, new byte[0]), AUTO);
    assertFails(magic, write(name, bytes(0, 0, 8)), AUTO);
    assertFails(magic, write(name, bytes(0, 0, 8, 0)), AUTO);
    assertFails(magic, write(name, bytes(0, 0, 7, 3)), AUTO);
    assertFails(magic, write(name, bytes(1, 0, 8, 3)), AUTO);
    assertFails(
        path + ": truncated within its dimensions",
        write(name, bytes(0, 0, 8, 3, 0, 0, 0, 2, 0)),
        AUTO);
    assertFails(
        path + ": dimension 2 is -1; it must be at least 1",
        write(name, idx(8, new int[] {2, -1, 1})),
        AUTO);
    assertFails(
        path + ": dimension 1 is 0; it must be at least 1",
        write(name, idx(8, new int[] {0, 1, 1})),
        AUTO);
    assertFails(
        path + ": 2 x 65536 x 65536 has more than 4194304 values an item",
        write(name, idx(8, new int[] {2, 65536, 65536})),
        AUTO);
    assertFails(
        path
            + ": 2147483647 x 2 is more than 2147483639 numbers, which do not fit one array; split"
            + " the file",
        write(name, idx(8, new int[] {Integer.MAX_VALUE, 2})),
        AUTO);
    assertFails(
        path + ": truncated: 2000000000 x 1 needs 2000000000 values, 3 are there",
        write(name, idx(8, new int[] {2_000_000_000, 1}, bytes(1, 2, 3))),
        AUTO);
    assertFails(
        path + ": truncated: 2 x 1 x 2 needs 4 values, 3 are there",
        write(name, idx(8, new int[] {2, 1, 2}, bytes(1, 2, 3))),
        AUTO);
    assertFails(
        path + ": bytes after its end; 2 x 1 x 1 needs fewer",
        write(name, idx(8, new int[] {2, 1, 1}, bytes(1, 2, 3))),
        AUTO);
    byte[] nan = ByteBuffer.allocate(8).putFloat(1).putFloat(Float.NaN).array();
    assertFails(
        path + ": item 2, value 0: NaN is not a finite float; replace it",
        write(name, idx(0x0D, new int[] {2, 1}, nan)),
        AUTO);
    byte[] huge = ByteBuffer.allocate(8).putDouble(1e300).array();
    assertFails(
        path + ": item 1, value 0: 1.0E300 is not a finite float; replace it",
        write(name, idx(0x0E, new int[] {1, 1}, huge)),
        AUTO);
    byte[] zipped = gzip(idx(8, new int[] {2, 1, 2}, bytes(1, 2, 3, 4)));
    assertFails(
        path + ": truncated gzip file; fetch or compress it again",
        write(name, Arrays.copyOf(zipped, zipped.length - 9)),
        AUTO);
  }

  @Test
  void labelsMayBeFractions() throws Exception {
    Path path = images();
    byte[] values = ByteBuffer.allocate(8).putFloat(0.5f).putFloat(3).array();
    write("l", idx(0x0D, new int[] {2}, values));
    Dataset data = Datasets.read(path, label("l"));
    assertEquals("0.5", text(data, 0));
    assertEquals("3", text(data, 1));
    byte[] nan = ByteBuffer.allocate(8).putFloat(0.5f).putFloat(Float.NaN).array();
    Path labels = write("l", idx(0x0D, new int[] {2}, nan));
    assertFails(labels + ": item 2: label NaN is not a finite number", path, label("l"));
  }
}
