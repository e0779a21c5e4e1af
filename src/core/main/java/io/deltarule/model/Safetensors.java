package io.deltarule.model;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import io.deltarule.data.InputException;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A safetensors file (github.com/huggingface/safetensors): an 8-byte little-endian header length, a
 * JSON header padded with blanks, and the tensors one after another, here all of them F32.
 *
 * <p>Files that are written here also hold two hashes among their metadata, {@value #TENSORS_HASH}
 * of the tensors' bytes and {@value #HEADER_HASH} of all else; where they are present they are
 * checked, so that no flipped byte goes unnoticed. They are not part of {@link #metadata}.
 *
 * @param metadata any texts by key
 * @param tensors by name, in the file's order
 */
public record Safetensors(Map<String, String> metadata, Map<String, Tensor> tensors) {
  /** The key of the hash of the tensors' bytes. */
  public static final String TENSORS_HASH = "sha256.tensors";

  /** The key of the hash of names, shapes and all other metadata. */
  public static final String HEADER_HASH = "sha256.header";

  private static final String METADATA = "__metadata__";
  private static final int MAX_HEADER = 100_000_000; // as in the reference implementation
  private static final int MAX_DIMENSIONS = 16;
  private static final int BLOCK = 1 << 16;
  private static final JsonFactory JSON =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(4)
                  .maxStringLength(MAX_HEADER)
                  .maxNumberLength(20)
                  .build())
          .build();

  /**
   * An array and its shape.
   *
   * @param shape the dimensions, row-major, each at least 0; empty for a scalar
   * @param values as many as the product of the dimensions; not a copy
   */
  public record Tensor(List<Long> shape, float[] values) {
    /**
     * Checks the length.
     *
     * @param shape as above
     * @param values as above
     * @throws IllegalArgumentException if shape and length differ
     */
    public Tensor {
      shape = List.copyOf(shape);
      if (elements(shape) != values.length) {
        throw new IllegalArgumentException(
            "shape %s for %d values".formatted(shape, values.length));
      }
    }

    /**
     * A matrix.
     *
     * @param rows its rows
     * @param columns its columns
     * @param values row-major [rows x columns]
     * @return the tensor
     */
    public static Tensor matrix(int rows, int columns, float[] values) {
      return new Tensor(List.of((long) rows, (long) columns), values);
    }

    /**
     * A vector.
     *
     * @param values its elements
     * @return the tensor
     */
    public static Tensor vector(float... values) {
      return new Tensor(List.of((long) values.length), values);
    }
  }

  /**
   * Copies the maps, in their order.
   *
   * @param metadata as above
   * @param tensors as above
   */
  public Safetensors {
    metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
    tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
  }

  /**
   * Writes a file, whole or not at all.
   *
   * @param target a regular file, or nothing yet
   * @throws InputException if it cannot be written
   * @throws IllegalArgumentException if a key or name is reserved or not Unicode
   */
  public void write(Path target) {
    MessageDigest digest = sha256();
    for (Tensor tensor : tensors.values()) {
      blocks(tensor.values(), (bytes, length) -> digest.update(bytes, 0, length));
    }
    byte[] header = header(HexFormat.of().formatHex(digest.digest()));
    AtomicFile.write(
        target,
        out -> {
          ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
          out.write(length.putLong(header.length).array());
          out.write(header);
          for (Tensor tensor : tensors.values()) {
            writeValues(tensor.values(), out);
          }
        });
  }

  private byte[] header(String tensorsHash) {
    if (tensors.containsKey(METADATA)
        || metadata.containsKey(TENSORS_HASH)
        || metadata.containsKey(HEADER_HASH)) {
      throw new IllegalArgumentException("reserved: " + metadata.keySet() + tensors.keySet());
    }
    tensors.keySet().forEach(Safetensors::requireUnicode);
    metadata.forEach(
        (key, value) -> {
          requireUnicode(key);
          requireUnicode(value);
        });
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(out)) {
      json.writeStartObject();
      json.writeObjectFieldStart(METADATA);
      for (Map.Entry<String, String> entry : metadata.entrySet()) {
        json.writeStringField(entry.getKey(), entry.getValue());
      }
      json.writeStringField(TENSORS_HASH, tensorsHash);
      json.writeStringField(HEADER_HASH, headerHash(metadata, tensorsHash, shapes()));
      json.writeEndObject();
      long offset = 0;
      for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
        Tensor tensor = entry.getValue();
        long end = offset + 4L * tensor.values().length;
        json.writeObjectFieldStart(entry.getKey());
        json.writeStringField("dtype", "F32");
        json.writeArrayFieldStart("shape");
        for (long dimension : tensor.shape()) {
          json.writeNumber(dimension);
        }
        json.writeEndArray();
        json.writeArrayFieldStart("data_offsets");
        json.writeNumber(offset);
        json.writeNumber(end);
        json.writeEndArray();
        json.writeEndObject();
        offset = end;
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new AssertionError("an array in memory cannot fail", e);
    }
    while (out.size() % 8 != 0) {
      out.write(' ');
    }
    if (out.size() > MAX_HEADER) {
      throw new InputException(
          "a header of %d bytes is more than safetensors allows (%d); shorten the names"
              .formatted(out.size(), MAX_HEADER));
    }
    return out.toByteArray();
  }

  /** Half a surrogate pair has no UTF-8, and would come back as something else. */
  private static void requireUnicode(String text) {
    if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
      throw new IllegalArgumentException("not Unicode: " + InputException.quote(text));
    }
  }

  private Map<String, List<Long>> shapes() {
    Map<String, List<Long>> shapes = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
    return shapes;
  }

  /** Of every text with its length before it, so that none can run into the next. */
  private static String headerHash(
      Map<String, String> metadata, String tensorsHash, Map<String, List<Long>> shapes) {
    SortedMap<String, String> sorted = new TreeMap<>(metadata);
    sorted.remove(HEADER_HASH);
    sorted.put(TENSORS_HASH, tensorsHash);
    MessageDigest digest = sha256();
    sorted.forEach(
        (key, value) -> {
          update(digest, key);
          update(digest, value);
        });
    shapes.forEach(
        (name, shape) -> {
          update(digest, name);
          update(digest, shape.toString());
        });
    return HexFormat.of().formatHex(digest.digest());
  }

  private static void update(MessageDigest digest, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    digest.update(ByteBuffer.allocate(4).putInt(bytes.length).array());
    digest.update(bytes);
  }

  /** A consumer of a block of bytes. */
  private interface Sink<E extends Exception> {
    void accept(byte[] bytes, int length) throws E;
  }

  private static void writeValues(float[] values, OutputStream out) throws IOException {
    Sink<IOException> sink = (bytes, length) -> out.write(bytes, 0, length);
    blocks(values, sink);
  }

  private static <E extends Exception> void blocks(float[] values, Sink<E> sink) throws E {
    ByteBuffer block = ByteBuffer.allocate(BLOCK).order(ByteOrder.LITTLE_ENDIAN);
    for (int start = 0; start < values.length; ) {
      int count = Math.min(BLOCK / 4, values.length - start);
      block.asFloatBuffer().put(values, start, count);
      sink.accept(block.array(), 4 * count);
      start += count;
    }
  }

  /**
   * Reads a file. Every length and offset is checked before it is used.
   *
   * @param path of a regular file
   * @return its metadata without the hashes, and its tensors
   * @throws InputException if it cannot be read, is damaged, or holds anything but F32
   */
  public static Safetensors read(Path path) {
    try {
      if (!Files.isRegularFile(path)) {
        Files.readAttributes(path, "size"); // throws if it does not exist
        throw new InputException(path + ": is not a regular file; name a model file");
      }
      try (FileChannel channel = FileChannel.open(path)) {
        return new Reader(path, channel).read();
      }
    } catch (NoSuchFileException e) {
      throw new InputException(path + ": no such file", e);
    } catch (AccessDeniedException e) {
      throw new InputException(path + ": may not be read; check its permissions", e);
    } catch (IOException e) {
      throw new InputException(path + ": cannot be read: " + e.getMessage(), e);
    } catch (OutOfMemoryError e) {
      throw new InputException(
          "%s: needs more memory than the %d MB that Java may use; raise it with -Xmx"
              .formatted(path, Runtime.getRuntime().maxMemory() >> 20),
          e);
    }
  }

  /** The product of a shape, or -1 beyond the length of a Java array. */
  private static long elements(List<Long> shape) {
    if (shape.contains(0L)) {
      return 0;
    }
    long product = 1;
    for (long dimension : shape) {
      if (dimension < 0 || dimension > Integer.MAX_VALUE / product) {
        return -1;
      }
      product *= dimension;
    }
    return product > Integer.MAX_VALUE - 8 ? -1 : product;
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has SHA-256", e);
    }
  }

  /** One tensor's entry in the header. */
  private record Entry(String name, List<Long> shape, long begin, long end) {}

  /** Reads one file. */
  private static final class Reader {
    private final Path path;
    private final FileChannel channel;
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final List<Entry> entries = new ArrayList<>();

    Reader(Path path, FileChannel channel) {
      this.path = path;
      this.channel = channel;
    }

    Safetensors read() throws IOException {
      long size = channel.size();
      if (size < 8) {
        throw damaged("%d bytes are too few for a safetensors file", size);
      }
      long length = bytes(8).getLong();
      if (length < 0 || length > MAX_HEADER) {
        throw damaged(
            "its header length %s is no safetensors file's", Long.toUnsignedString(length));
      }
      if (length > size - 8) {
        throw damaged("truncated: %d bytes, but a header of %d", size, length);
      }
      parse(bytes((int) length));
      requireContiguous(size - 8 - length);
      MessageDigest digest = sha256();
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (Entry entry : entries) {
        tensors.put(entry.name(), new Tensor(entry.shape(), values(entry, digest)));
      }
      requireHashes(HexFormat.of().formatHex(digest.digest()));
      metadata.remove(TENSORS_HASH);
      metadata.remove(HEADER_HASH);
      return new Safetensors(metadata, tensors);
    }

    private ByteBuffer bytes(int length) throws IOException {
      ByteBuffer bytes = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
      fill(bytes);
      return bytes.flip();
    }

    private void fill(ByteBuffer bytes) throws IOException {
      while (bytes.hasRemaining()) {
        if (channel.read(bytes) < 0) {
          throw new EOFException("it became shorter while it was read");
        }
      }
    }

    private float[] values(Entry entry, MessageDigest digest) throws IOException {
      float[] values = new float[(int) ((entry.end() - entry.begin()) / 4)];
      ByteBuffer block =
          ByteBuffer.allocate((int) Math.min(BLOCK, entry.end() - entry.begin()))
              .order(ByteOrder.LITTLE_ENDIAN);
      for (int start = 0; start < values.length; ) {
        int count = Math.min(BLOCK / 4, values.length - start);
        block.clear().limit(4 * count);
        fill(block);
        block.flip();
        digest.update(block.array(), 0, 4 * count);
        block.asFloatBuffer().get(values, start, count);
        start += count;
      }
      return values;
    }

    private void parse(ByteBuffer header) {
      int end = header.limit();
      while (end > 0 && header.get(end - 1) == ' ') {
        end--;
      }
      if (end == 0 || header.get(0) != '{' || header.get(end - 1) != '}') {
        throw damaged("its header is no JSON object");
      }
      // By way of a strict decoder: the parser itself is lenient about surrogates.
      try (JsonParser json =
          JSON.createParser(
              StandardCharsets.UTF_8.newDecoder().decode(header.slice(0, end)).toString())) {
        require(json, JsonToken.START_OBJECT);
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          String name = json.currentName();
          require(json, JsonToken.START_OBJECT);
          if (name.equals(METADATA)) {
            parseMetadata(json);
          } else {
            parseEntry(json, name);
          }
        }
        if (json.currentToken() != JsonToken.END_OBJECT || json.nextToken() != null) {
          throw damaged("its header is no JSON object");
        }
      } catch (IOException e) {
        throw new InputException(
            path + ": damaged: its header is not valid JSON; restore the file", e);
      }
    }

    private void parseMetadata(JsonParser json) throws IOException {
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String key = json.currentName();
        require(json, JsonToken.VALUE_STRING);
        metadata.put(key, json.getText());
      }
    }

    private void parseEntry(JsonParser json, String name) throws IOException {
      String dtype = null;
      List<Long> shape = null;
      List<Long> offsets = null;
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        switch (json.currentName()) {
          case "dtype" -> {
            require(json, JsonToken.VALUE_STRING);
            dtype = json.getText();
          }
          case "shape" -> shape = integers(json, name, MAX_DIMENSIONS);
          case "data_offsets" -> offsets = integers(json, name, 2);
          default ->
              throw damaged(
                  "tensor %s has an unknown field %s",
                  InputException.quote(name), InputException.quote(json.currentName()));
        }
      }
      if (dtype == null || shape == null || offsets == null || offsets.size() != 2) {
        throw damaged("tensor %s lacks dtype, shape or offsets", InputException.quote(name));
      }
      if (!dtype.equals("F32")) {
        throw new InputException(
            "%s: tensor %s has the type %s; only F32 can be read"
                .formatted(path, InputException.quote(name), InputException.quote(dtype)));
      }
      long begin = offsets.get(0);
      long length = offsets.get(1) - begin; // no overflow: both are 0 or more
      if (elements(shape) < 0 || 4 * elements(shape) != length) {
        throw damaged(
            "tensor %s of shape %s does not lie at %s", InputException.quote(name), shape, offsets);
      }
      entries.add(new Entry(name, shape, begin, offsets.get(1)));
    }

    private List<Long> integers(JsonParser json, String name, int most) throws IOException {
      List<Long> values = new ArrayList<>();
      require(json, JsonToken.START_ARRAY);
      while (json.nextToken() == JsonToken.VALUE_NUMBER_INT && values.size() < most) {
        values.add(json.getLongValue());
      }
      if (json.currentToken() != JsonToken.END_ARRAY || values.stream().anyMatch(v -> v < 0)) {
        throw damaged("tensor %s has a malformed shape or offset", InputException.quote(name));
      }
      return values;
    }

    private void require(JsonParser json, JsonToken token) throws IOException {
      if (json.nextToken() != token) {
        throw damaged("its header has not the structure of a safetensors file");
      }
    }

    private void requireContiguous(long length) {
      entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
      long end = 0;
      for (Entry entry : entries) {
        if (entry.begin() != end) {
          throw damaged(
              "tensor %s starts at byte %d and not at %d",
              InputException.quote(entry.name()), entry.begin(), end);
        }
        end = entry.end();
      }
      if (end != length) {
        throw damaged(
            length < end ? "truncated: %d bytes of tensors, not %d" : "%d bytes of tensors, not %d",
            length,
            end);
      }
    }

    private void requireHashes(String tensorsHash) {
      if (!metadata.containsKey(TENSORS_HASH) && !metadata.containsKey(HEADER_HASH)) {
        return; // another tool's file
      }
      Map<String, List<Long>> shapes = new LinkedHashMap<>();
      entries.forEach(entry -> shapes.put(entry.name(), entry.shape()));
      String stored = metadata.get(TENSORS_HASH);
      if (stored == null
          || !headerHash(metadata, stored, shapes).equals(metadata.get(HEADER_HASH))) {
        throw damaged("its header does not match its hash");
      }
      if (!stored.equals(tensorsHash)) {
        throw damaged("its tensors do not match their hash");
      }
    }

    private InputException damaged(String what, Object... arguments) {
      return new InputException(
          "%s: damaged: %s; restore the file".formatted(path, what.formatted(arguments)));
    }
  }
}
