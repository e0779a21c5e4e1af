package io.deltarule.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.data.InputException;
import io.deltarule.model.Safetensors.Tensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsTest {
  @TempDir Path directory;

  private static byte[] file(String header, byte... data) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + json.length + data.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length)
        .put(json)
        .put(data)
        .array();
  }

  private Safetensors read(byte[] bytes) throws IOException {
    return Safetensors.read(Files.write(directory.resolve("m"), bytes));
  }

  private void assertDamaged(String message, byte[] bytes) {
    assertFails("damaged: " + message + "; restore the file", bytes);
  }

  private void assertFails(String message, byte[] bytes) {
    InputException e = assertThrows(InputException.class, () -> read(bytes));
    assertEquals(directory.resolve("m") + ": " + message, e.getMessage());
  }

  private Safetensors sample() {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("w", Tensor.matrix(2, 3, new float[] {1, -0f, 1e-45f, Float.MAX_VALUE, 5, 6}));
    tensors.put("b", Tensor.vector(7, 8));
    tensors.put("none", new Tensor(List.of(0L, 5L), new float[0]));
    tensors.put("scalar", new Tensor(List.of(), new float[] {9}));
    return new Safetensors(Map.of("key", "value \"\u00e4\u20ac\ud83d\ude00\n"), tensors);
  }

  private static void assertSame(Safetensors expected, Safetensors actual) {
    assertEquals(expected.metadata(), actual.metadata());
    assertEquals(List.copyOf(expected.tensors().keySet()), List.copyOf(actual.tensors().keySet()));
    expected
        .tensors()
        .forEach(
            (name, tensor) -> {
              assertEquals(tensor.shape(), actual.tensors().get(name).shape());
              assertArrayEquals(bits(tensor.values()), bits(actual.tensors().get(name).values()));
            });
  }

  private static int[] bits(float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return bits;
  }

  @Test
  void returnsWhatWasWritten() throws Exception {
    Path path = directory.resolve("m");
    sample().write(path);
    assertSame(sample(), Safetensors.read(path));
  }

  @Test
  void returnsTensorsOfManyBlocks() throws Exception {
    float[] values = new float[100_003];
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.intBitsToFloat(i * 0x9E3779B9);
    }
    Safetensors file = new Safetensors(Map.of(), Map.of("t", Tensor.vector(values)));
    Path path = directory.resolve("m");
    file.write(path);
    assertSame(file, Safetensors.read(path));
  }

  /** Against the format's own description, by hand. */
  @Test
  void theBytesAreSafetensors() throws Exception {
    Path path = directory.resolve("m");
    sample().write(path);
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
    int length = Math.toIntExact(bytes.getLong());
    assertEquals(0, (8 + length) % 8);
    byte[] json = new byte[length];
    bytes.get(json);
    String header = new String(json, StandardCharsets.UTF_8);
    assertTrue(header.startsWith("{\"__metadata__\":{\"key\":\"value \\\"\u00e4\u20ac"), header);
    assertTrue(header.matches("(?s).*}} *"), header);
    Matcher entry =
        Pattern.compile(
                "\"(\\w+)\":\\{\"dtype\":\"F32\",\"shape\":\\[([0-9,]*)],\"data_offsets\":\\[(\\d+),(\\d+)]}")
            .matcher(header);
    int end = 0;
    int count = 0;
    while (entry.find()) {
      Tensor tensor = sample().tensors().get(entry.group(1));
      assertEquals(tensor.shape().toString().replaceAll("[\\[\\] ]", ""), entry.group(2));
      assertEquals(end, Integer.parseInt(entry.group(3)));
      end = Integer.parseInt(entry.group(4));
      for (float value : tensor.values()) {
        assertEquals(Float.floatToRawIntBits(value), bytes.getInt());
      }
      assertEquals(8 + length + end, bytes.position());
      count++;
    }
    assertEquals(4, count);
    assertEquals(0, bytes.remaining());
  }

  @Test
  void readsFilesOfOtherTools() throws Exception {
    // Sorted by name and not by place, no metadata, blanks within the JSON.
    Safetensors file =
        read(
            file(
                "{\"a\": {\"shape\": [1], \"data_offsets\": [4, 8], \"dtype\": \"F32\"},"
                    + "\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}   ",
                new byte[] {0, 0, (byte) 0x80, 0x3f, 0, 0, 0, 0x40}));
    assertEquals(List.of("b", "a"), List.copyOf(file.tensors().keySet()));
    assertArrayEquals(new float[] {1}, file.tensors().get("b").values());
    assertArrayEquals(new float[] {2}, file.tensors().get("a").values());
    assertTrue(read(file("{}")).tensors().isEmpty());
  }

  @Test
  void hostileLengthsAreRefused() {
    assertDamaged("0 bytes are too few for a safetensors file", new byte[0]);
    assertDamaged("7 bytes are too few for a safetensors file", new byte[7]);
    ByteBuffer length = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    assertDamaged(
        "its header length 1152921504606846976 is no safetensors file's",
        length.putLong(0, 1L << 60).array());
    assertDamaged(
        "its header length 18446744073709551615 is no safetensors file's",
        length.putLong(0, -1).array());
    assertDamaged(
        "its header length 100000001 is no safetensors file's",
        length.putLong(0, 100_000_001).array());
    assertDamaged("truncated: 16 bytes, but a header of 9", length.putLong(0, 9).array());
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      delimiter = '|',
      textBlock =
          """
          {'t':{'dtype':'F32','shape':[2],'data_offsets':[0,4]}}|tensor 't' of shape [2] does not lie at [0, 4]
          {'t':{'dtype':'F32','shape':[1],'data_offsets':[4,0]}}|tensor 't' of shape [1] does not lie at [4, 0]
          {'t':{'dtype':'F32','shape':[-1],'data_offsets':[0,4]}}|tensor 't' has a malformed shape or offset
          {'t':{'dtype':'F32','shape':[1.0],'data_offsets':[0,4]}}|tensor 't' has a malformed shape or offset
          {'t':{'dtype':'F32','shape':[1],'data_offsets':[0,4,8]}}|tensor 't' has a malformed shape or offset
          {'t':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,0]}}|tensor 't' of shape [4294967296, 4294967296] does not lie at [0, 0]
          {'t':{'dtype':'F32','shape':[2147483647],'data_offsets':[0,8589934588]}}|tensor 't' of shape [2147483647] does not lie at [0, 8589934588]
          {'t':{'dtype':'F32','shape':[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],'data_offsets':[0,4]}}|tensor 't' has a malformed shape or offset
          {'t':{'dtype':'F32','shape':[1000000],'data_offsets':[0,4000000]}}|truncated: 4 bytes of tensors, not 4000000
          {'t':{'dtype':'F32','shape':[0],'data_offsets':[0,0]}}|4 bytes of tensors, not 0
          {'t':{'dtype':'F32','shape':[0],'data_offsets':[4,4]}}|tensor 't' starts at byte 4 and not at 0
          {'t':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'u':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}|tensor 'u' starts at byte 0 and not at 4
          {'t':{'dtype':'F32','shape':[1]}}|tensor 't' lacks dtype, shape or offsets
          {'t':{'dtype':'F32','shape':[1],'data_offsets':[0,4],'x':1}}|tensor 't' has an unknown field 'x'
          {'t':7}|its header has not the structure of a safetensors file
          {'__metadata__':{'a':7}}|its header has not the structure of a safetensors file
          {'t':{'dtype':'F32','dtype':'F32','shape':[1],'data_offsets':[0,4]}}|its header is not valid JSON
          {'__metadata__':{'a':'b','a':'c'}}|its header is not valid JSON
          {'t':{'shape':[[[[[1]]]]]}}|tensor 't' has a malformed shape or offset
          {'t':{'shape':[99999999999999999999999999]}}|its header is not valid JSON
          {'t':{'shape':[9999999999999999999]}}|its header is not valid JSON
          []|its header is no JSON object
          {}}|its header is not valid JSON
          {}{}|its header is no JSON object
          {'a|its header is no JSON object
          """)
  void malformedHeadersAreRefused(String header, String message) {
    assertDamaged(message, file(header.replace('\'', '"'), new byte[4]));
  }

  @Test
  void bytesThatAreNoTextAreRefused() {
    byte[] file = file("{\"__metadata__\":{\"a\":\"?\"}}");
    file[8 + 22] = (byte) 0xff;
    assertDamaged("its header is not valid JSON", file);
  }

  @Test
  void otherTypesAreRefused() {
    assertFails(
        "tensor 't' has the type 'BF16'; only F32 can be read",
        file("{\"t\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}", new byte[4]));
  }

  @Test
  void everyTruncationIsFound() throws Exception {
    Path path = directory.resolve("m");
    sample().write(path);
    byte[] whole = Files.readAllBytes(path);
    for (int length = 0; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      assertThrows(InputException.class, () -> read(cut), "at " + length);
    }
    assertThrows(InputException.class, () -> read(Arrays.copyOf(whole, whole.length + 1)));
  }

  @Test
  void everyFlippedBitIsFound() throws Exception {
    Path path = directory.resolve("m");
    new Safetensors(Map.of("key", "value"), Map.of("t", Tensor.matrix(1, 2, new float[2])))
        .write(path);
    byte[] whole = Files.readAllBytes(path);
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      for (int bit = 0; bit < 8 * whole.length; bit++) {
        file.seek(bit / 8);
        file.write(whole[bit / 8] ^ (1 << bit % 8));
        InputException e =
            assertThrows(InputException.class, () -> Safetensors.read(path), "byte " + bit / 8);
        assertEquals(1, e.getMessage().lines().count());
        file.seek(bit / 8);
        file.write(whole[bit / 8]);
      }
    }
  }

  @Test
  void aFlippedByteIsReportedAsDamage() throws Exception {
    Path path = directory.resolve("m");
    sample().write(path);
    byte[] whole = Files.readAllBytes(path);
    byte[] data = whole.clone();
    data[whole.length - 1] ^= 1;
    assertDamaged("its tensors do not match their hash", data);
    byte[] text = whole.clone();
    text[8 + 25] ^= 1; // within "value"
    assertDamaged("its header does not match its hash", text);
  }

  @Test
  void whatIsNoFileIsRefused() {
    Path missing = directory.resolve("none");
    assertEquals(
        missing + ": no such file",
        assertThrows(InputException.class, () -> Safetensors.read(missing)).getMessage());
    assertEquals(
        directory + ": is not a regular file; name a model file",
        assertThrows(InputException.class, () -> Safetensors.read(directory)).getMessage());
  }

  @Test
  void reservedNamesAreRefused() {
    Path path = directory.resolve("m");
    for (Safetensors file :
        List.of(
            new Safetensors(Map.of(), Map.of("__metadata__", Tensor.vector())),
            new Safetensors(Map.of(Safetensors.HEADER_HASH, ""), Map.of()),
            new Safetensors(Map.of("half", "\ud800"), Map.of()))) {
      assertThrows(IllegalArgumentException.class, () -> file.write(path));
    }
    assertThrows(IllegalArgumentException.class, () -> new Tensor(List.of(2L, 2L), new float[3]));
  }
}
