package io.deltarule.data;

import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** Strict UTF-8 that names the line of what is not; drops a byte order mark at the start. */
final class Utf8Reader extends Reader {
  private final String source;
  private final InputStream in;
  private final CharsetDecoder decoder =
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT);
  private final ByteBuffer bytes = ByteBuffer.allocate(1 << 16).flip();
  private final CharBuffer chars = CharBuffer.allocate(1 << 16).flip();
  private boolean atStart = true;
  private boolean atEnd;
  private boolean afterReturn;
  private long line = 1;

  Utf8Reader(String source, InputStream in) {
    this.source = source;
    this.in = in;
  }

  @Override
  public int read(char[] target, int offset, int length) throws IOException {
    while (!chars.hasRemaining()) {
      if (!fill()) {
        return -1;
      }
    }
    int count = Math.min(length, chars.remaining());
    chars.get(target, offset, count);
    return count;
  }

  private boolean fill() throws IOException {
    chars.clear();
    CoderResult result = decoder.decode(bytes, chars, atEnd);
    chars.flip();
    check();
    if (result.isError()) {
      throw new InputException(
          "%s:%d: byte 0x%02x is not UTF-8 text; save the file as CSV in UTF-8"
              .formatted(source, line, bytes.get(bytes.position())));
    }
    if (atStart && chars.hasRemaining()) {
      atStart = false;
      if (chars.get(chars.position()) == '\uFEFF') {
        chars.get();
      }
    }
    if (chars.hasRemaining()) {
      return true;
    }
    if (atEnd) {
      return false;
    }
    bytes.compact();
    int count = in.read(bytes.array(), bytes.position(), bytes.remaining());
    atEnd = count < 0;
    bytes.position(bytes.position() + Math.max(count, 0)).flip();
    return true;
  }

  private void check() {
    char[] array = chars.array();
    int end = chars.limit();
    for (int i = 0; i < end; i++) {
      char c = array[i];
      if (c == 0) {
        throw new InputException(
            "%s:%d: a NUL byte: this is not a text file; save it as CSV in UTF-8"
                .formatted(source, line));
      }
      if (c == '\r' || (c == '\n' && !afterReturn)) {
        line++;
      }
      afterReturn = c == '\r';
    }
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
