package io.deltarule.data;

import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/** A file being read once, from start to end: hashed as it is and decompressed if it is gzip. */
final class Input implements Closeable {
  private static final int BUFFER = 1 << 16;

  private final String source;
  private final Hashing raw;
  private final boolean gzip;
  private final BufferedInputStream content;

  private Input(String source, Hashing raw) throws IOException {
    this.source = source;
    this.raw = raw;
    BufferedInputStream buffered = new BufferedInputStream(raw, BUFFER);
    byte[] magic = peek(buffered, 2);
    this.gzip = magic.length == 2 && magic[0] == 0x1f && magic[1] == (byte) 0x8b;
    this.content =
        gzip ? new BufferedInputStream(new GZIPInputStream(buffered, BUFFER), BUFFER) : buffered;
  }

  /**
   * Opens a file.
   *
   * @throws InputException if it cannot be opened, or is no gzip file although it starts as one
   */
  static Input open(Path path) {
    if (Files.isDirectory(path)) {
      throw new InputException(path + ": is a directory; name the file in it");
    }
    InputStream file = null;
    try {
      file = Files.newInputStream(path);
      return new Input(path.toString(), new Hashing(file));
    } catch (IOException e) {
      closeQuietly(file);
      throw unreadable(path.toString(), e);
    }
  }

  String source() {
    return source;
  }

  /** The decompressed bytes. */
  InputStream content() {
    return content;
  }

  /** The next bytes, at most {@code length} and {@link #BUFFER}, without consuming them. */
  byte[] peek(int length) throws IOException {
    return peek(content, length);
  }

  /** The hash of the whole file; what has not been read of it is read now. */
  String sha256() throws IOException {
    byte[] rest = new byte[BUFFER];
    while (raw.read(rest, 0, rest.length) >= 0) {
      // Only to be hashed.
    }
    return HexFormat.of().formatHex(raw.digest.digest());
  }

  /** What an exception from {@link #content} means to the user. */
  InputException failed(IOException e) {
    if (gzip && e instanceof EOFException) {
      return new InputException(source + ": truncated gzip file; fetch or compress it again", e);
    }
    return unreadable(source, e);
  }

  private static InputException unreadable(String source, IOException e) {
    String what;
    if (e instanceof NoSuchFileException) {
      what = "no such file";
    } else if (e instanceof AccessDeniedException) {
      what = "may not be read; check its permissions";
    } else if (e instanceof ZipException) {
      what = "corrupt gzip file (" + e.getMessage() + "); fetch or compress it again";
    } else if (e instanceof EOFException) {
      what = "truncated gzip file; fetch or compress it again";
    } else if (e instanceof FileSystemException f && f.getReason() != null) {
      what = "cannot be read: " + f.getReason();
    } else {
      what = "cannot be read: " + e.getMessage();
    }
    return new InputException(source + ": " + what, e);
  }

  @Override
  public void close() {
    closeQuietly(content);
  }

  private static void closeQuietly(InputStream stream) {
    try {
      if (stream != null) {
        stream.close();
      }
    } catch (IOException e) {
      // Nothing was written to it, so nothing can be lost.
    }
  }

  private static byte[] peek(BufferedInputStream stream, int length) throws IOException {
    stream.mark(BUFFER);
    byte[] bytes = stream.readNBytes(Math.min(length, BUFFER));
    stream.reset();
    return bytes;
  }

  private static final class Hashing extends FilterInputStream {
    private final MessageDigest digest;

    Hashing(InputStream in) {
      super(in);
      try {
        digest = MessageDigest.getInstance("SHA-256");
      } catch (NoSuchAlgorithmException e) {
        throw new AssertionError("every Java has SHA-256", e);
      }
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      int count = super.read(bytes, offset, length);
      if (count > 0) {
        digest.update(bytes, offset, count);
      }
      return count;
    }

    @Override
    public long skip(long count) throws IOException {
      return read(new byte[(int) Math.min(count, BUFFER)]);
    }

    @Override
    public int available() {
      // GZIPInputStream looks for a further member only if something is said to be available, and
      // pipes say 0; at the end of the file it just finds none.
      return 1;
    }

    @Override
    public boolean markSupported() {
      return false;
    }
  }
}
