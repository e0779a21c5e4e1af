package io.deltarule.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Reads IDX files, the format of MNIST: two zero bytes, the type of the elements, the number of
 * dimensions, each dimension as a big-endian int, then the elements, big-endian, row-major.
 */
final class IdxLoader {
  private static final int MAX_ARRAY = Integer.MAX_VALUE - 8;
  private static final String LABEL = "label";

  /** The types of elements by their codes. */
  private enum Type {
    UBYTE(0x08, 1),
    BYTE(0x09, 1),
    SHORT(0x0B, 2),
    INT(0x0C, 4),
    FLOAT(0x0D, 4),
    DOUBLE(0x0E, 8);

    private final int code;
    private final int bytes;

    Type(int code, int bytes) {
      this.code = code;
      this.bytes = bytes;
    }

    double get(ByteBuffer from) {
      return switch (this) {
        case UBYTE -> from.get() & 0xFF;
        case BYTE -> from.get();
        case SHORT -> from.getShort();
        case INT -> from.getInt();
        case FLOAT -> from.getFloat();
        case DOUBLE -> from.getDouble();
      };
    }

    static Optional<Type> of(int code) {
      return Arrays.stream(values()).filter(type -> type.code == code).findAny();
    }
  }

  private final String source;
  private final InputStream in;
  private final Type type;
  private final int[] dimensions;
  private final int items; // the first dimension
  private final int size; // the product of the others

  private IdxLoader(Input input) throws IOException {
    this.source = input.source();
    this.in = input.content();
    byte[] magic = in.readNBytes(4);
    this.type = magic.length == 4 && isZero(magic) ? Type.of(magic[2]).orElse(null) : null;
    if (type == null || magic[3] == 0) {
      throw new InputException(source + ": not an IDX file (its first bytes are no IDX magic)");
    }
    this.dimensions = new int[magic[3] & 0xFF];
    for (int d = 0; d < dimensions.length; d++) {
      byte[] bytes = in.readNBytes(4);
      if (bytes.length < 4) {
        throw new InputException(source + ": truncated within its dimensions");
      }
      dimensions[d] = ByteBuffer.wrap(bytes).getInt();
      if (dimensions[d] < 1) {
        throw new InputException(
            "%s: dimension %d is %d; it must be at least 1"
                .formatted(source, d + 1, dimensions[d]));
      }
    }
    this.items = dimensions[0];
    long product = 1;
    for (int d = 1; d < dimensions.length; d++) {
      product *= dimensions[d];
      if (product > CsvRow.MAX_CELLS) {
        throw new InputException(
            "%s: %s has more than %d values an item".formatted(source, shape(), CsvRow.MAX_CELLS));
      }
    }
    this.size = (int) product;
    if (product * items > MAX_ARRAY) {
      throw new InputException(
          "%s: %s is more than %d numbers, which do not fit one array; split the file"
              .formatted(source, shape(), MAX_ARRAY));
    }
  }

  /** Whether a file that starts with these bytes is, or is meant as, IDX. */
  static boolean matches(Path path, byte[] start) {
    Path name = path.getFileName();
    return (start.length >= 3 && isZero(start) && Type.of(start[2]).isPresent())
        || (name != null && name.toString().matches(".*[.-]idx[0-9]-[a-z]+(\\.gz)?"));
  }

  private static boolean isZero(byte[] start) {
    return start[0] == 0 && start[1] == 0;
  }

  /**
   * Reads images, and labels as the layout wants them.
   *
   * @throws InputException whatever is wrong with either file
   */
  static Dataset read(Path path, Input input, CsvOptions options, Optional<Layout> layout)
      throws IOException {
    IdxLoader images = new IdxLoader(input);
    if (images.dimensions.length == 1) {
      throw new InputException(
          path + ": one dimension only, as a file of labels has; name the file of images");
    }
    if (layout.isPresent() && layout.get().features().size() != images.size) {
      throw new InputException(
          "%s: %s has %d values an item, the model has %d features"
              .formatted(path, images.shape(), images.size, layout.get().features().size()));
    }
    if (layout.isPresent() && !layout.get().pixels()) {
      throw new InputException(
          path
              + ": images, but the model was trained on a table, whose numbers may be scaled"
              + " otherwise; give a table");
    }
    float[] features = images.features();
    Optional<LabelColumn> labels =
        layout.map(Layout::labelled).orElse(true)
            ? Optional.of(labels(path, images.items, options))
            : Optional.empty();
    List<String> names =
        layout
            .map(Layout::features)
            .orElseGet(
                () -> IntStream.range(0, images.size).mapToObj(i -> Layout.PIXEL + i).toList());
    return new Dataset(
        path.toString(),
        images.items,
        names,
        features,
        labels,
        false,
        images.dimensions.length > 2,
        input.sha256());
  }

  private static LabelColumn labels(Path images, int items, CsvOptions options) {
    Path path = options.label().map(IdxLoader::path).orElseGet(() -> beside(images));
    try (Input input = Input.open(path)) {
      try {
        IdxLoader labels = new IdxLoader(input);
        if (labels.dimensions.length != 1) {
          throw new InputException(
              "%s: %s has %d dimensions, labels have one"
                  .formatted(path, labels.shape(), labels.dimensions.length));
        }
        if (labels.items != items) {
          throw new InputException(
              "%s: %d labels, but %s has %d items; they do not belong together"
                  .formatted(path, labels.items, images, items));
        }
        return labels.labels();
      } catch (IOException e) {
        throw input.failed(e);
      }
    }
  }

  private static Path path(String text) {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw new InputException("--label " + InputException.quote(text) + ": not a path", e);
    }
  }

  // X-images-idx3-ubyte[.gz] and X-images.idx3-ubyte[.gz] have X-labels-idx1-ubyte[.gz].
  private static Path beside(Path images) {
    String name = images.getFileName().toString();
    boolean gzip = name.endsWith(".gz");
    String plain = gzip ? name.substring(0, name.length() - 3) : name;
    int at = plain.lastIndexOf("images");
    if (at < 0) {
      throw new InputException(
          images
              + ": the labels' file is not known, as the name lacks 'images'; pass --label FILE");
    }
    String labels = plain.substring(0, at) + "labels" + plain.substring(at + 6);
    labels = labels.replaceFirst("idx[0-9]", "idx1");
    List<String> candidates =
        gzip ? List.of(labels + ".gz", labels) : List.of(labels, labels + ".gz");
    return candidates.stream()
        .map(images::resolveSibling)
        .filter(Files::exists)
        .findFirst()
        .orElseThrow(
            () ->
                new InputException(
                    "%s: no labels beside it (neither %s); pass --label FILE"
                        .formatted(images, String.join(" nor ", candidates))));
  }

  private float[] features() throws IOException {
    int total = items * size;
    float[] features = new float[Math.min(total, 1 << 18)]; // grows: the header may be lying
    float scale = type == Type.UBYTE ? 255 : 1; // divided, so that 255 is exactly 1
    Elements elements = new Elements();
    for (int i = 0; i < total; i++) {
      if (i == features.length) {
        features = Arrays.copyOf(features, (int) Math.min(total, 2L * i));
      }
      double value = elements.next(i, total);
      float rounded = (float) (value / scale);
      if (!Float.isFinite(rounded)) {
        throw new InputException(
            "%s: item %d, value %d: %s is not a finite float; replace it"
                .formatted(source, i / size + 1, i % size, value));
      }
      features[i] = rounded;
    }
    requireEnd();
    return features;
  }

  private LabelColumn labels() throws IOException {
    LabelColumn.Builder labels = new LabelColumn.Builder(source, LABEL, null);
    Elements elements = new Elements();
    for (int i = 0; i < items; i++) {
      double value = elements.next(i, items);
      if (!Double.isFinite(value)) {
        throw new InputException(
            "%s: item %d: label %s is not a finite number".formatted(source, i + 1, value));
      }
      labels.add(
          value == Math.rint(value) && Math.abs(value) < 1e15
              ? String.valueOf((long) value)
              : String.valueOf(value));
    }
    requireEnd();
    return labels.build();
  }

  private void requireEnd() throws IOException {
    if (in.read() >= 0) {
      throw new InputException(
          "%s: bytes after its end; %s needs fewer".formatted(source, shape()));
    }
  }

  private String shape() {
    return Arrays.stream(dimensions)
        .limit(8)
        .mapToObj(String::valueOf)
        .collect(Collectors.joining(" x "));
  }

  /** The elements one by one, read in blocks. */
  private final class Elements {
    private final byte[] bytes = new byte[1 << 16];
    private ByteBuffer block = ByteBuffer.wrap(bytes, 0, 0);

    double next(int index, int total) throws IOException {
      if (!block.hasRemaining()) {
        int wanted = (int) Math.min(bytes.length, (long) (total - index) * type.bytes);
        int count = in.readNBytes(bytes, 0, wanted);
        if (count < wanted) {
          throw new InputException(
              "%s: truncated: %s needs %d values, %d are there"
                  .formatted(source, shape(), total, index + count / type.bytes));
        }
        block = ByteBuffer.wrap(bytes, 0, count);
      }
      return type.get(block);
    }
  }
}
