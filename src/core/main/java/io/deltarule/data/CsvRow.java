package io.deltarule.data;

import de.siegmar.fastcsv.reader.AbstractBaseCsvCallbackHandler;
import java.util.Arrays;

/** The current row of a CSV file, one object for all of them: its cells without blanks around. */
final class CsvRow extends AbstractBaseCsvCallbackHandler<CsvRow> {
  /** More columns than any data has: a bound on what a hostile file can ask for. */
  static final int MAX_CELLS = 1 << 22;

  private static final int MAX_CHARS = 1 << 26;

  private final String source;
  private char[] text = new char[1024];
  private int[] starts = new int[64];
  private int[] ends = new int[64];
  private int cells;
  private int used; // of text
  private boolean quotes; // around the last cell
  private long line;

  CsvRow(String source) {
    this.source = source;
  }

  @Override
  protected void handleBegin(long startingLine) {
    line = startingLine;
    cells = 0;
    used = 0;
  }

  @Override
  protected void handleField(int index, char[] buffer, int offset, int length, boolean quoted) {
    quotes = quoted;
    int start = offset;
    int end = offset + length;
    while (start < end && buffer[start] <= ' ') {
      start++;
    }
    while (start < end && buffer[end - 1] <= ' ') {
      end--;
    }
    // Quotes after a blank: to RFC 4180 they belong to the text, to nobody who writes ', "1"'.
    if (!quoted && end - start > 1 && buffer[start] == '"' && buffer[end - 1] == '"') {
      start++;
      end--;
    }
    int count = end - start;
    if (cells == MAX_CELLS || used > MAX_CHARS - count) {
      throw new InputException(
          "%s:%d: more than %d cells or %d characters in one line"
              .formatted(source, line, MAX_CELLS, MAX_CHARS));
    }
    if (cells == starts.length) {
      starts = Arrays.copyOf(starts, 2 * cells);
      ends = Arrays.copyOf(ends, 2 * cells);
    }
    if (used + count > text.length) {
      text = Arrays.copyOf(text, Math.max(used + count, 2 * text.length));
    }
    System.arraycopy(buffer, start, text, used, count);
    starts[cells] = used;
    used += count;
    ends[cells++] = used;
  }

  @Override
  protected CsvRow buildRecord() {
    return this;
  }

  /** The number of the line on which the row starts, from 1. */
  long line() {
    return line;
  }

  int cells() {
    return cells;
  }

  /** Whether the row is a line of blanks, and not one cell that is empty in quotes. */
  boolean isBlank() {
    return cells == 0 || (cells == 1 && used == 0 && !quotes);
  }

  String text(int cell) {
    return new String(text, starts[cell], ends[cell] - starts[cell]);
  }

  /** As {@link Numbers#parseFloat}. */
  float number(int cell) {
    return Numbers.parseFloat(text, starts[cell], ends[cell]);
  }
}
