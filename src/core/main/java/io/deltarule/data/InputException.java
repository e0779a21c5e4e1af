package io.deltarule.data;

/**
 * The user's input cannot be used. The message is one line that names file, line, column and value
 * as far as they apply, and the remedy.
 */
public final class InputException extends RuntimeException {
  private static final long serialVersionUID = 1;
  private static final int SHOWN = 40; // characters of a value that a message repeats

  /**
   * With a message, in which control characters are replaced by escapes: it stays one line whatever
   * a file's name or cells contain.
   *
   * @param message where, what, and the remedy
   */
  public InputException(String message) {
    this(message, null);
  }

  /**
   * With a message and a cause that is of interest to programmers only.
   *
   * @param message as above
   * @param cause the exception behind it, or null
   */
  public InputException(String message, Throwable cause) {
    super(escape(message), cause);
  }

  /**
   * A value as messages show it: in quotes, escaped, and cut when long.
   *
   * @param value any text from the input
   * @return such as {@code 'abc'}
   */
  public static String quote(String value) {
    if (value.length() <= SHOWN) {
      return "'" + escape(value) + "'";
    }
    int end = Character.isHighSurrogate(value.charAt(SHOWN - 1)) ? SHOWN - 1 : SHOWN;
    return "'" + escape(value.substring(0, end)) + "...'";
  }

  private static String escape(String text) {
    StringBuilder escaped = new StringBuilder(text.length());
    text.chars().forEach(c -> append(escaped, (char) c));
    return escaped.toString();
  }

  private static void append(StringBuilder out, char c) {
    switch (c) {
      case '\n' -> out.append("\\n");
      case '\r' -> out.append("\\r");
      case '\t' -> out.append("\\t");
      default -> {
        int type = Character.getType(c);
        // FORMAT holds the marks that reorder a line on a terminal.
        if (type == Character.CONTROL
            || type == Character.FORMAT
            || type == Character.LINE_SEPARATOR
            || type == Character.PARAGRAPH_SEPARATOR) {
          out.append("\\u%04x".formatted((int) c));
        } else {
          out.append(c);
        }
      }
    }
  }
}
