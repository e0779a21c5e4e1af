package io.deltarule.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.deltarule.data.CsvOptions.Header;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CsvTest {
  private static final CsvOptions AUTO = CsvOptions.DEFAULT;

  @TempDir Path directory;

  private Path file(String text) throws IOException {
    return Files.writeString(directory.resolve("d.csv"), text);
  }

  private Path file(byte[] bytes) throws IOException {
    return Files.write(directory.resolve("d.csv"), bytes);
  }

  private Dataset read(String text) throws IOException {
    return Datasets.read(file(text), AUTO);
  }

  /** Reading fails with this message, %s standing for the path. */
  private void assertFails(String message, String text) throws IOException {
    assertFails(message, text, AUTO);
  }

  private void assertFails(String message, String text, CsvOptions options) throws IOException {
    Path path = file(text);
    assertMessage(message.formatted(path), () -> Datasets.read(path, options));
  }

  private static void assertMessage(String message, Runnable reading) {
    assertEquals(message, assertThrows(InputException.class, reading::run).getMessage());
  }

  private static byte[] gzip(String text) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream out = new GZIPOutputStream(bytes)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
    return bytes.toByteArray();
  }

  private static List<String> labels(Dataset data) {
    LabelColumn labels = data.labels().orElseThrow();
    return IntStream.range(0, labels.rows()).mapToObj(labels::text).toList();
  }

  @Test
  void readsAHeaderFeaturesAndTheLastColumnAsLabel() throws Exception {
    String text = "a,b,y\n1,2,M\n3,4,B\n5,6,M\n";
    Path path = file(text);
    Dataset data = Datasets.read(path, AUTO);
    assertEquals(path.toString(), data.source());
    assertEquals(3, data.rows());
    assertEquals(2, data.inputs());
    assertEquals(List.of("a", "b"), data.featureNames());
    assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, data.features());
    assertTrue(data.header());
    assertFalse(data.image());
    LabelColumn labels = data.labels().orElseThrow();
    assertEquals("y", labels.name());
    assertEquals(List.of("M", "B"), labels.distinct());
    assertEquals(List.of(0, 1, 0), List.of(labels.code(0), labels.code(1), labels.code(2)));
    assertFalse(labels.numeric());
    assertEquals(path + ":3", labels.where(1));
    byte[] hash =
        MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
    assertEquals(HexFormat.of().formatHex(hash), data.sha256());
  }

  @Test
  void readsEveryUsualSpellingOfANumber() throws Exception {
    Dataset data =
        read(
            "\uFEFF\"a, or b\";b;c;d\r\n 1.5e+3 ;\"-2\";+.5;0\r\n\r\n1.;\t-1E-3 ; \"7\" ;1\r\n  \r\n");
    assertEquals(List.of("a, or b", "b", "c"), data.featureNames());
    assertArrayEquals(new float[] {1500, -2, .5f, 1, -1e-3f, 7}, data.features());
    assertEquals(List.of("0", "1"), labels(data));
    assertTrue(data.labels().orElseThrow().numeric());
    assertEquals(1, data.labels().orElseThrow().value(1));
    assertTrue(data.labels().orElseThrow().where(1).endsWith("d.csv:4"));
  }

  @ParameterizedTest
  @ValueSource(strings = {",", ";", "\t"})
  void detectsTheDelimiter(String delimiter) throws Exception {
    Dataset data = read("1,2,0\n3,4,1".replace(",", delimiter));
    assertArrayEquals(new float[] {1, 2, 3, 4}, data.features());
  }

  @Test
  void parsesAsJavaDoes() throws Exception {
    Random random = new Random(1);
    StringBuilder text = new StringBuilder();
    float[] expected = new float[3000];
    for (int i = 0; i < expected.length; i++) {
      float value;
      do {
        value = Float.intBitsToFloat(random.nextInt());
      } while (!Float.isFinite(value));
      expected[i] = value;
      text.append(value).append(i % 3 == 2 ? ",0\n" : ",");
    }
    float[] actual = read(text.toString()).features();
    for (int i = 0; i < expected.length; i++) {
      assertEquals(Float.floatToIntBits(expected[i]), Float.floatToIntBits(actual[i]));
    }
  }

  @Test
  void namesColumnsByPlaceWithoutAHeader() throws Exception {
    Dataset data = Datasets.read(file("0,1,2\n1,3,4\n"), AUTO.withLabel("1"));
    assertFalse(data.header());
    assertEquals(List.of("c2", "c3"), data.featureNames());
    assertEquals("c1", data.labels().orElseThrow().name());
    assertArrayEquals(new float[] {1, 2, 3, 4}, data.features());
  }

  @ParameterizedTest
  @CsvSource({"b,b", "2,b", "-1,c", "-3,a", "3,c"})
  void findsTheLabelByNameAndPlace(String label, String expected) throws Exception {
    Dataset data = Datasets.read(file("a,b,c\n1,2,3\n4,5,6\n"), AUTO.withLabel(label));
    assertEquals(expected, data.labels().orElseThrow().name());
  }

  @Test
  void aNameThatIsANumberGoesBeforeAPlace() throws Exception {
    Dataset data =
        Datasets.read(file("2,1,x\n1,2,3\n4,5,6\n"), AUTO.withLabel("2").withHeader(Header.YES));
    assertEquals("2", data.labels().orElseThrow().name());
    assertEquals(List.of("1", "x"), data.featureNames());
  }

  @Test
  void readsGzipByItsContentsAndHashesTheFile() throws Exception {
    byte[] once = gzip("a,y\n1,0\n");
    byte[] again = gzip("2,1\n");
    byte[] both = Arrays.copyOf(once, once.length + again.length);
    System.arraycopy(again, 0, both, once.length, again.length);
    Dataset data = Datasets.read(file(both), AUTO);
    assertArrayEquals(new float[] {1, 2}, data.features());
    byte[] hash = MessageDigest.getInstance("SHA-256").digest(both);
    assertEquals(HexFormat.of().formatHex(hash), data.sha256());
  }

  @Test
  void growsToManyRows() throws Exception {
    StringBuilder text = new StringBuilder();
    for (int row = 0; row < 100_000; row++) {
      text.append(row).append(',').append(-row).append(',').append(row * 0.5).append('\n');
    }
    Dataset data = read(text.toString());
    LabelColumn labels = data.labels().orElseThrow();
    assertEquals(100_000, data.rows());
    assertEquals(200_000, data.features().length);
    assertEquals(-99_999, data.features()[199_999]);
    assertEquals(LabelColumn.MAX_DISTINCT, labels.distinct().size());
    assertEquals(-1, labels.code(99_999));
    assertEquals(99_999 * 0.5, labels.value(99_999));
    assertEquals("49999.5", labels.text(99_999));
  }

  @Test
  void linesAreRightAfterCellsOfSeveralLines() throws Exception {
    Dataset data = Datasets.read(file("a,y\n1,\"p\nq\"\n\n2,r\n"), AUTO);
    assertEquals(List.of("p\nq", "r"), labels(data));
    assertTrue(data.labels().orElseThrow().where(0).endsWith("d.csv:2"));
    assertTrue(data.labels().orElseThrow().where(1).endsWith("d.csv:5"));
  }

  @Test
  void unusableCellsAreNamed() throws Exception {
    assertFails(
        "%s:2: column 'b': 'x' is not a number; encode the column as numbers or remove it",
        "a,b,y\n1,x,0\n");
    assertFails(
        "%s:3: column 'b': empty cell; fill it in or remove the row", "a,b,y\n1,1,0\n1, ,0\n");
    assertFails("%s:2: column 'y': empty cell; fill it in or remove the row", "a,b,y\n1,1,\n");
    assertFails(
        "%s:2: column 'a': '?' stands for a missing value; fill it in or remove the row",
        "a,b,y\n?,1,0\n");
    assertFails(
        "%s:2: column 'a': 'NA' stands for a missing value; fill it in or remove the row",
        "a,b,y\nNA,1,0\n");
    assertFails(
        "%s:2: column 'a': '1,5' is not a number; write a decimal point for the comma",
        "a;b;y\n1,5;1;0\n");
    assertFails(
        "%s:2: column 'a': '1e39' is beyond the range of float (3.4e38); rescale the column",
        "a,b,y\n1e39,1,0\n");
    assertFails(
        "%s:2: column 'a': 'a\\n\\u001b[31mbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb...' is not a number;"
            + " encode the column as numbers or remove it",
        "a,b,y\n\"a\n\u001b[31m" + "b".repeat(1000) + "\",1,0\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"NaN", "nan", "inf", "-Infinity", "+INF"})
  void nonFiniteCellsAreRefused(String cell) throws Exception {
    assertFails(
        "%s:2: column 'a': '" + cell + "' is not a finite number; replace it or remove the row",
        "a,y\n" + cell + ",0\n");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0x1p3", "-0X10", "1f", "1d", "1D", "1_000", "--1", "1e", "e5", "1 2", "+", "\u0661"
      })
  void whatJavaAllowsBeyondDecimalsIsRefused(String cell) throws Exception {
    assertFails(
        "%s:3: column 'a': '"
            + cell
            + "' is not a number; encode the column as numbers or remove it",
        "a,y\n1,0\n" + cell + ",0\n");
  }

  @Test
  void theFirstLineMayBeMeantAsAHeader() throws Exception {
    assertFails(
        "%s:1: column 'c1': 'name' is not a number; if this line holds the columns' names pass"
            + " --header yes",
        "name,1999,y\n1,2,0\n");
    Dataset data = Datasets.read(file("name,1999,y\n1,2,0\n"), AUTO.withHeader(Header.YES));
    assertEquals(List.of("name", "1999"), data.featureNames());
    assertFails(
        "%s:1: column 'c1': 'a' is not a number; encode the column as numbers or remove it",
        "a,b\n1,2\n", AUTO.withHeader(Header.NO));
  }

  @Test
  void malformedFilesAreRefused() throws Exception {
    assertFails("%s: the file is empty", "");
    assertFails("%s: the file is empty", "\n \n\n");
    assertFails("%s: a header, but no rows below it", "a,b\n");
    assertFails("%s:3: 2 cells, expected 3 as in line 1", "a,b,y\n1,2,3\n4,5\n");
    assertFails("%s:2: 4 cells, expected 3 as in line 1", "a,b,y\n1,2,3,4\n");
    assertFails(
        "%s:1: one column only ('a'), but a label and at least one feature are needed; columns are"
            + " separated by comma, semicolon or tab",
        "a\n1\n");
    assertFails("%s:1: columns 1 and 3 are both named 'a'; rename one", "a,b,a\n1,2,3\n");
    assertFails(
        "%s:1: no column 'z'; the columns are 'a', 'b', 'y'",
        "a,b,y\n1,2,3\n", AUTO.withLabel("z"));
    assertFails(
        "%s:1: no column '0'; the columns are 'a', 'b', 'y'",
        "a,b,y\n1,2,3\n", AUTO.withLabel("0"));
    assertFails(
        "%s:1: no column '-4'; the columns are 'a', 'b', 'y'",
        "a,b,y\n1,2,3\n", AUTO.withLabel("-4"));
    assertFails(
        "%s:1: no column '99999999999'; the 12 columns are 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h',"
            + " 'i', 'j', ...",
        "a,b,c,d,e,f,g,h,i,j,k,l\n", AUTO.withLabel("99999999999"));
    assertFails("%s:2: a quote is opened and not closed", "a,b\n1,\"2\n");
    assertFails(
        "%s:2: text after a closing quote; write a quote within quotes twice", "a,b\n1,\"2\"3\n");
    assertFails(
        "%s:2: a cell of more than 1048576 characters; is a quote not closed?",
        "a,b\n1,\"" + "2\n".repeat(1 << 20));
  }

  @Test
  void bytesThatAreNoTextAreRefused() throws Exception {
    Path latin = file("a,b\n1,2\n\u00e9,3\n".getBytes(StandardCharsets.ISO_8859_1));
    assertMessage(
        latin + ":3: byte 0xe9 is not UTF-8 text; save the file as CSV in UTF-8",
        () -> Datasets.read(latin, AUTO));
    Path cut = file(new byte[] {'a', ',', 'b', '\r', '\n', (byte) 0xc3});
    assertMessage(
        cut + ":2: byte 0xc3 is not UTF-8 text; save the file as CSV in UTF-8",
        () -> Datasets.read(cut, AUTO));
    Path nul = file("a,b\n\0\0".getBytes(StandardCharsets.UTF_8));
    assertMessage(
        nul + ":2: a NUL byte: this is not a text file; save it as CSV in UTF-8",
        () -> Datasets.read(nul, AUTO));
  }

  @Test
  void rubbishIsRefusedWithOneLine() throws Exception {
    Random random = new Random(2);
    for (int i = 0; i < 500; i++) {
      byte[] bytes = new byte[random.nextInt(300)];
      random.nextBytes(bytes);
      if (i % 2 == 0) { // text of the characters that matter
        for (int b = 0; b < bytes.length; b++) {
          bytes[b] = (byte) "\"\r\n,;\t 1e.-x\u007f".charAt((bytes[b] & 0xFF) % 13);
        }
      }
      Path path = file(bytes);
      try {
        Datasets.read(path, AUTO);
      } catch (InputException e) {
        assertTrue(e.getMessage().startsWith(path.toString()), e.getMessage());
        assertEquals(1, e.getMessage().lines().count());
      }
    }
  }

  @Test
  void filesThatCannotBeReadAreNamed() throws Exception {
    Path missing = directory.resolve("no\nthing.csv");
    assertMessage(
        directory.resolve("no") + "\\nthing.csv: no such file", () -> Datasets.read(missing, AUTO));
    assertMessage(
        directory + ": is a directory; name the file in it", () -> Datasets.read(directory, AUTO));
    Path locked = file("a,b\n1,2\n");
    Files.setPosixFilePermissions(locked, PosixFilePermissions.fromString("---------"));
    assumeFalse(Files.isReadable(locked), "root may read everything");
    assertMessage(
        locked + ": may not be read; check its permissions", () -> Datasets.read(locked, AUTO));
  }

  @Test
  void everyTruncationOfGzipIsFound() throws Exception {
    byte[] whole = gzip("a,b,y\n1,2,0\n3,4,1\n");
    for (int length = 2; length < whole.length; length++) {
      Path path = file(Arrays.copyOf(whole, length));
      assertMessage(
          path + ": truncated gzip file; fetch or compress it again",
          () -> Datasets.read(path, AUTO));
    }
  }

  @Test
  void everyFlippedByteOfGzipIsFoundOrHarmless() throws Exception {
    byte[] whole = gzip("a,b,y\n1,2,0\n3,4,1\n");
    float[] expected = {1, 2, 3, 4};
    for (int at = 0; at < whole.length; at++) {
      byte[] bytes = whole.clone();
      bytes[at] ^= 0x10;
      Path path = file(bytes);
      try {
        assertArrayEquals(expected, Datasets.read(path, AUTO).features(), "byte " + at);
      } catch (InputException e) {
        assertEquals(1, e.getMessage().lines().count());
      }
    }
  }

  @Test
  void aLayoutSelectsByNameAndPassesOverTheRest() throws Exception {
    Layout layout = new Layout(List.of("b", "a"), "y", true, false);
    Path path = file("id,a,y,b\nx1,1,,2\nx2,3,?,4\n");
    Dataset data = Datasets.read(path, AUTO, layout);
    assertEquals(List.of("b", "a"), data.featureNames());
    assertArrayEquals(new float[] {2, 1, 4, 3}, data.features());
    assertTrue(data.labels().isEmpty());

    Path labelled = file("id,y,a,b\nx1,M,1,2\n");
    Dataset both = Datasets.read(labelled, AUTO, new Layout(List.of("b", "a"), "y", true, true));
    assertArrayEquals(new float[] {2, 1}, both.features());
    assertEquals(List.of("M"), labels(both));
    Dataset other =
        Datasets.read(
            labelled, AUTO.withLabel("id"), new Layout(List.of("b", "a"), "y", true, true));
    assertEquals(List.of("x1"), labels(other));
  }

  @Test
  void aLayoutNamesWhatIsMissing() throws Exception {
    Path path = file("a,y\n1,0\n");
    assertMessage(
        path + ":1: no column 'b', which the model was trained on; the columns are 'a', 'y'",
        () -> Datasets.read(path, AUTO, new Layout(List.of("a", "b"), "y", true, false)));
    assertMessage(
        path + ":1: no label column 'z'; the columns are 'a', 'y'",
        () -> Datasets.read(path, AUTO, new Layout(List.of("a"), "z", true, true)));
    assertMessage(
        path + ":1: the label column 'a' is a feature of the model; pass another --label",
        () -> Datasets.read(path, AUTO.withLabel("a"), new Layout(List.of("a"), "y", true, true)));
  }

  @Test
  void aLayoutSelectsByPlaceWithoutAHeader() throws Exception {
    Layout last = new Layout(List.of("a", "b"), "y", true, true);
    Layout first = new Layout(List.of("c2", "c3"), "c1", false, true);
    Path path = file("1,2,3\n4,5,6\n");
    assertArrayEquals(
        new float[] {1, 2, 4, 5}, Datasets.read(path, AUTO.withLabel("-1"), last).features());
    assertMessage(
        path
            + ":1: 3 columns for the model's 2 features, and which of them is the label 'y' is not"
            + " known without names; put the header's line first, or pass --label PLACE",
        () -> Datasets.read(path, AUTO, last));
    assertArrayEquals(new float[] {2, 3, 5, 6}, Datasets.read(path, AUTO, first).features());
    assertArrayEquals(
        new float[] {1, 3, 4, 6}, Datasets.read(path, AUTO.withLabel("2"), last).features());
    assertEquals(List.of("1", "4"), labels(Datasets.read(path, AUTO, first)));

    Layout three = new Layout(List.of("a", "b", "c"), "y", true, true);
    assertMessage(
        path + ":1: no label column; all columns are features of the model",
        () -> Datasets.read(path, AUTO, three));
    Layout unlabelled = new Layout(List.of("a", "b", "c"), "y", true, false);
    assertArrayEquals(
        new float[] {1, 2, 3, 4, 5, 6}, Datasets.read(path, AUTO, unlabelled).features());
    Layout one = new Layout(List.of("a"), "y", true, false);
    assertMessage(
        path + ":1: 3 columns; the model has 1 features (and the file may have a label column)",
        () -> Datasets.read(path, AUTO, one));

    Path named = file("p,q,r\n1,2,3\n"); // generated names: by place in spite of the header
    assertArrayEquals(new float[] {2, 3}, Datasets.read(named, AUTO, first).features());
    Layout pixels = new Layout(List.of("p0", "p1"), "q", false, true);
    assertArrayEquals(new float[] {1, 3}, Datasets.read(named, AUTO, pixels).features());
  }

  @Test
  void aLayoutKnowsItsHeaderEvenIfNamesAreNumbers() throws Exception {
    Layout layout = new Layout(List.of("1990", "2000"), "y", true, true);
    Dataset data = Datasets.read(file("y,2000,1990\n1,2,3\n"), AUTO, layout);
    assertTrue(data.header());
    assertArrayEquals(new float[] {3, 2}, data.features());
  }

  @Test
  void aHeaderWithNumbersIsNotTakenForData() throws Exception {
    String why =
        " stands in no other row; pass --header yes if this line holds the columns' names,";
    for (String[] c :
        new String[][] {
          {"0,1,label\n1,2,cat\n3,4,dog\n5,6,cat\n7,8,dog\n", "label"},
          {"2019,2020,y\n1,2,0\n3,4,1\n", "y"},
          {"2019,2020,y\n1,2,0.5\n", "y"}
        }) {
      Path path = file(c[0]);
      String column = path + ":1: label column 'c3': '" + c[1] + "'";
      assertMessage(column + why + " --header no if it does not", () -> Datasets.read(path, AUTO));
      Dataset named = Datasets.read(path, AUTO.withHeader(CsvOptions.Header.YES));
      assertEquals(c[1], named.labels().orElseThrow().name());
      int lines = (int) c[0].lines().count();
      assertEquals(lines, Datasets.read(path, AUTO.withHeader(CsvOptions.Header.NO)).rows());
    }
    for (String data : List.of("1,2,a\n3,4,a\n5,6,b\n", "1,2,a\n3,4,b\n", "1,2,3\n", "1,2,a\n")) {
      assertEquals(data.lines().count(), Datasets.read(file(data), AUTO).rows());
    }
  }

  /** By place they would be shifted unnoticed. */
  @Test
  void namesLikePlacesAreNames() throws Exception {
    Layout named = new Layout(List.of("c1", "c2"), "y", true, false);
    Path path = file("foo,c1,y\n1,2,3\n");
    assertMessage(
        path
            + ":1: no column 'c2', which the model was trained on; the columns are 'foo', 'c1', 'y'",
        () -> Datasets.read(path, AUTO, named));
    assertArrayEquals(
        new float[] {3, 2}, Datasets.read(file("c2,c1,y\n2,3,1\n"), AUTO, named).features());
  }

  /** Dropped as a blank line, it would move the predictions of those after it. */
  @Test
  void anEmptyCellInQuotesIsNoBlankLine() throws Exception {
    Path path = file("a\n1\n\"\"\n2\n\n3\n");
    assertMessage(
        path + ":3: column 'a': empty cell; fill it in or remove the row",
        () -> Datasets.read(path, AUTO, new Layout(List.of("a"), "y", true, false)));
  }

  @Test
  void predictionNeedsOneColumnOnly() throws Exception {
    Dataset data =
        Datasets.read(file("a\n1\n2\n"), AUTO, new Layout(List.of("a"), "y", true, false));
    assertArrayEquals(new float[] {1, 2}, data.features());
  }

  @Test
  void aDelimiterThatIsAQuoteIsRefused() {
    assertMessage(
        "quotes and line ends cannot be the delimiter of a CSV file",
        () -> new CsvOptions(Header.AUTO, Optional.empty(), Optional.of('"')));
  }

  @Test
  void aDatasetChecksItsLengths() {
    assertEquals(
        "rows 2, columns 1, features 3, labels none",
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    new Dataset(
                        "x", 2, List.of("a"), new float[3], Optional.empty(), true, false, ""))
            .getMessage());
  }
}
