package io.deltarule.data;

import java.util.Objects;
import java.util.Optional;

/**
 * How to read a data file, where it does not say so itself.
 *
 * @param header whether a CSV file's first row holds the columns' names
 * @param label the label column of a CSV file: its name, or its place counted from 1, from the end
 *     if negative; empty for the last column, or what the model says. For IDX images the path of
 *     the file of labels; empty for the one beside the images
 * @param delimiter between a CSV file's cells; empty for the one of comma, semicolon and tab that
 *     the first line has most of
 */
public record CsvOptions(Header header, Optional<String> label, Optional<Character> delimiter) {

  /** Everything as the file suggests. */
  public static final CsvOptions DEFAULT =
      new CsvOptions(Header.AUTO, Optional.empty(), Optional.empty());

  /** Whether the first row holds names. */
  public enum Header {
    /** It does if none of its cells is a number. */
    AUTO,
    /** It does. */
    YES,
    /** It is data. */
    NO
  }

  /**
   * Checks the delimiter.
   *
   * @param header as above
   * @param label as above
   * @param delimiter as above
   * @throws InputException if it has another meaning in CSV
   */
  public CsvOptions {
    Objects.requireNonNull(header);
    Objects.requireNonNull(label);
    if (delimiter.filter(c -> c == '"' || c == '\n' || c == '\r').isPresent()) {
      throw new InputException("quotes and line ends cannot be the delimiter of a CSV file");
    }
  }

  /**
   * The same with another label column.
   *
   * @param label its name or place
   * @return the options
   */
  public CsvOptions withLabel(String label) {
    return new CsvOptions(header, Optional.of(label), delimiter);
  }

  /**
   * The same with another reading of the first row.
   *
   * @param header how
   * @return the options
   */
  public CsvOptions withHeader(Header header) {
    return new CsvOptions(header, label, delimiter);
  }
}
