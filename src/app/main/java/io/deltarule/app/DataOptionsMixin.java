package io.deltarule.app;

import io.deltarule.data.CsvOptions;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How to read a CSV file. */
final class DataOptionsMixin {
  @Option(
      names = "--label",
      paramLabel = "COLUMN",
      description =
          "The label's column by name, or by position counted from 1 (from the end if negative). "
              + "Default: the last")
  String label;

  @Option(
      names = "--header",
      paramLabel = "auto|yes|no",
      description =
          "Whether the first line names the columns; auto: if no cell of it is a number. "
              + "Default: auto")
  CsvOptions.Header header = CsvOptions.Header.AUTO;

  @Option(
      names = "--delimiter",
      paramLabel = "CHARACTER",
      converter = Converters.Delimiter.class,
      description =
          "What separates the cells, or the word tab. Default: comma, semicolon or tab, whichever the "
              + "first line has most of")
  private Character delimiter;

  CsvOptions csv() {
    return new CsvOptions(header, Optional.ofNullable(label), Optional.ofNullable(delimiter));
  }
}
