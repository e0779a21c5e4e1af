package io.deltarule.data;

import ch.randelshofer.fastdoubleparser.JavaDoubleParser;
import ch.randelshofer.fastdoubleparser.JavaFloatParser;

/** Plain decimal numbers, without what Java's syntax has beyond them: 0x1p3, 1f, NaN, Infinity. */
final class Numbers {
  private Numbers() {}

  /**
   * The number in {@code text[start, end)}, which has no blanks around it.
   *
   * @return NaN if there is none, infinite if it lies beyond the range of float
   */
  static float parseFloat(char[] text, int start, int end) {
    if (!looksDecimal(text, start, end)) {
      return Float.NaN;
    }
    try {
      return JavaFloatParser.parseFloat(text, start, end - start);
    } catch (NumberFormatException e) {
      return Float.NaN;
    }
  }

  /** As {@link #parseFloat}, in double precision. */
  static double parseDouble(String text) {
    char[] chars = text.toCharArray();
    if (!looksDecimal(chars, 0, chars.length)) {
      return Double.NaN;
    }
    try {
      return JavaDoubleParser.parseDouble(chars);
    } catch (NumberFormatException e) {
      return Double.NaN;
    }
  }

  // Together with the parser's grammar, the ends and the place of an x decide; this also spares
  // most text an exception.
  private static boolean looksDecimal(char[] text, int start, int end) {
    if (start == end) {
      return false;
    }
    char last = text[end - 1];
    if (last != '.' && !isDigit(last)) {
      return false;
    }
    int first = start;
    if (text[first] == '+' || text[first] == '-') {
      first++;
    }
    if (first == end || (text[first] != '.' && !isDigit(text[first]))) {
      return false;
    }
    return first + 1 == end || (text[first + 1] | 0x20) != 'x';
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }
}
