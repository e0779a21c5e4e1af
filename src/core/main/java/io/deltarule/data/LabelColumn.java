package io.deltarule.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A column of labels: for each row a code into the list of different texts, and a number while all
 * of them are numbers. Twelve bytes a row, whatever the texts.
 */
public final class LabelColumn {
  /**
   * As many different texts are kept; later ones have the code -1. No classification has so many,
   * and a regression's column of millions of different numbers need not be held as text.
   */
  public static final int MAX_DISTINCT = 1 << 16;

  private final String source;
  private final String name;
  private final int[] codes; // [rows]
  private final List<String> distinct;
  private final double[] values; // [rows], or null
  private final Lines lines;

  private LabelColumn(Builder builder) {
    this.source = builder.source;
    this.name = builder.name;
    this.codes = Arrays.copyOf(builder.codes, builder.rows);
    this.distinct = Collections.unmodifiableList(builder.distinct);
    this.values = builder.numeric ? Arrays.copyOf(builder.values, builder.rows) : null;
    this.lines = builder.lines;
  }

  /**
   * A column from texts, as if they stood in a file from its first line on.
   *
   * @param source the file's name for messages
   * @param name the column's name
   * @param texts one per row
   * @return the column
   */
  public static LabelColumn of(String source, String name, List<String> texts) {
    Builder builder = new Builder(source, name, new Lines());
    for (int row = 0; row < texts.size(); row++) {
      builder.lines.add(row + 1);
      builder.add(texts.get(row));
    }
    return builder.build();
  }

  /**
   * The file that it is from.
   *
   * @return as it was named
   */
  public String source() {
    return source;
  }

  /**
   * The column's name.
   *
   * @return from the header, or generated
   */
  public String name() {
    return name;
  }

  /**
   * The number of labels.
   *
   * @return as many as the data set has rows
   */
  public int rows() {
    return codes.length;
  }

  /**
   * Which of the different texts a row has.
   *
   * @param row from 0
   * @return an index into {@link #distinct}, or -1 for a text beyond the first {@link
   *     #MAX_DISTINCT} different ones
   */
  public int code(int row) {
    return codes[row];
  }

  /**
   * The different texts, without blanks around them, in order of first appearance.
   *
   * @return at most {@link #MAX_DISTINCT}
   */
  public List<String> distinct() {
    return distinct;
  }

  /**
   * Whether all labels are finite decimal numbers.
   *
   * @return then {@link #value} can be called
   */
  public boolean numeric() {
    return values != null;
  }

  /**
   * The number in a row.
   *
   * @param row from 0
   * @return a finite number
   * @throws IllegalStateException unless the column is numeric
   */
  public double value(int row) {
    if (values == null) {
      throw new IllegalStateException("label column " + InputException.quote(name) + " has text");
    }
    return values[row];
  }

  /**
   * A row's label, for messages.
   *
   * @param row from 0
   * @return the text, or the number where the text is not kept
   */
  public String text(int row) {
    if (codes[row] >= 0) {
      return distinct.get(codes[row]);
    }
    return values != null ? String.valueOf(values[row]) : "...";
  }

  /**
   * Where a row stands, for messages.
   *
   * @param row from 0
   * @return {@code file:line}, or {@code file: item number} for a binary file
   */
  public String where(int row) {
    return lines == null ? source + ": item " + (row + 1) : source + ":" + lines.line(row);
  }

  /**
   * The column in messages.
   *
   * @param row whose place is named too
   * @return such as {@code data.csv:7: label column 'y'}
   */
  String describe(int row) {
    return where(row) + ": label column " + InputException.quote(name);
  }

  /**
   * Whether the first row has a text, in which it is alone, and the others have numbers, or texts
   * that all come again.
   */
  boolean firstStandsOut() {
    if (!Double.isNaN(Numbers.parseDouble(text(0)))) {
      return false;
    }
    int[] rows = new int[distinct.size()];
    int others = 0; // rows whose texts are not kept
    for (int code : codes) {
      if (code < 0) {
        others++;
      } else {
        rows[code]++;
      }
    }
    boolean numbers =
        distinct.stream().skip(1).noneMatch(t -> Double.isNaN(Numbers.parseDouble(t)));
    return rows[0] == 1
        && codes.length > 1
        && (numbers || (others == 0 && Arrays.stream(rows).skip(1).allMatch(count -> count > 1)));
  }

  /** The first row of a code. */
  int firstRow(int code) {
    int row = 0;
    while (codes[row] != code) {
      row++;
    }
    return row;
  }

  /** Collects labels row by row. */
  static final class Builder {
    private final String source;
    private final String name;
    private final Lines lines; // shared with the reader, which adds to it; null for a binary file
    private final Map<String, Integer> index = new HashMap<>();
    private final List<String> distinct = new ArrayList<>();
    private int[] codes = new int[1024];
    private double[] values = new double[1024];
    private int rows;
    private boolean numeric = true;

    Builder(String source, String name, Lines lines) {
      this.source = source;
      this.name = name;
      this.lines = lines;
    }

    void add(String text) {
      if (rows == codes.length) {
        int length = (int) Math.min(2L * rows, Integer.MAX_VALUE - 8);
        codes = Arrays.copyOf(codes, length);
        values = numeric ? Arrays.copyOf(values, length) : values;
      }
      Integer code = index.get(text);
      if (code == null && distinct.size() < MAX_DISTINCT) {
        code = distinct.size();
        index.put(text, code);
        distinct.add(text);
      }
      codes[rows] = code == null ? -1 : code;
      if (numeric) {
        double value = Numbers.parseDouble(text);
        numeric = Double.isFinite(value);
        if (numeric) {
          values[rows] = value;
        } else {
          values = null;
        }
      }
      rows++;
    }

    LabelColumn build() {
      return new LabelColumn(this);
    }
  }

  /** The line of each row; nothing is stored while every row has one line. */
  static final class Lines {
    private int first;
    private int rows;
    private int[] lines; // [rows] once they differ from first + row

    void add(long line) {
      int clipped = (int) Math.min(line, Integer.MAX_VALUE);
      if (rows == 0) {
        first = clipped;
      }
      if (lines == null && clipped != first + rows) {
        lines = new int[Math.max(1024, 2 * rows)];
        for (int row = 0; row < rows; row++) {
          lines[row] = first + row;
        }
      }
      if (lines != null) {
        if (rows == lines.length) {
          lines = Arrays.copyOf(lines, (int) Math.min(2L * rows, Integer.MAX_VALUE - 8));
        }
        lines[rows] = clipped;
      }
      rows++;
    }

    int line(int row) {
      return lines == null ? first + row : lines[row];
    }
  }
}
