package io.deltarule.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Reads data files: CSV in UTF-8, and IDX images with their labels. Each may be compressed by gzip;
 * the contents tell, not the name.
 */
public final class Datasets {
  private Datasets() {}

  /**
   * Reads a file to train from: every column but the label is a feature, and labels are there.
   *
   * @param path of a CSV file, or of IDX images
   * @param options where the file does not say it itself
   * @return the data, with labels
   * @throws InputException if anything is wrong with the file
   */
  public static Dataset read(Path path, CsvOptions options) {
    return read(path, options, Optional.empty());
  }

  /**
   * Reads a file for a model: its features in the layout's order. In a file with a header they are
   * found by name, and further columns are passed over whatever they contain; otherwise, or if the
   * layout's names are generated ones, they are found by their place, and there may be one column
   * more, the label, if its place is known from the options or the layout.
   *
   * @param path of a CSV file, or of IDX images
   * @param options where the file does not say it itself
   * @param layout the columns wanted
   * @return the data, with labels if the layout wants them
   * @throws InputException if anything is wrong with the file
   */
  public static Dataset read(Path path, CsvOptions options, Layout layout) {
    return read(path, options, Optional.of(layout));
  }

  private static Dataset read(Path path, CsvOptions options, Optional<Layout> layout) {
    try (Input input = Input.open(path)) {
      try {
        return IdxLoader.matches(path, input.peek(4))
            ? IdxLoader.read(path, input, options, layout)
            : CsvLoader.read(input, options, layout);
      } catch (IOException e) {
        throw input.failed(e);
      }
    } catch (OutOfMemoryError e) {
      throw new InputException(
          "%s: needs more memory than the %d MB that Java may use; raise it with -Xmx"
              .formatted(path, Runtime.getRuntime().maxMemory() >> 20),
          e);
    }
  }
}
