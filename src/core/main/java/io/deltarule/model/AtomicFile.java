package io.deltarule.model;

import io.deltarule.data.InputException;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.SecureRandom;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Files that are there whole or not at all: written to a temporary file beside the target, synced,
 * then renamed.
 */
public final class AtomicFile {
  private static final int BLOCK = 1 << 16;
  private static final int MOST_LINKS = 40; // as Linux follows

  /** Of this process, so that no name meets another's. */
  private static final String TOKEN = Long.toHexString(new SecureRandom().nextLong());

  /** Temporary files that are being written. */
  private static final Set<Path> UNFINISHED = ConcurrentHashMap.newKeySet();

  private AtomicFile() {}

  /** What is to be written. */
  @FunctionalInterface
  public interface Content {
    /**
     * Writes everything.
     *
     * @param out buffered; closed by the caller
     * @throws IOException as {@code out} does
     */
    void writeTo(OutputStream out) throws IOException;
  }

  /**
   * Writes a file, or replaces it; a failure leaves the target as it was and nothing beside it. A
   * symbolic link stays one: the file it points to is written. A file that is replaced keeps its
   * permissions.
   *
   * @param target a regular file, or nothing yet
   * @param content to write
   * @throws InputException if the target is something else or cannot be written, one line that says
   *     why
   */
  public static void write(Path target, Content content) {
    Path real = resolve(target);
    Path temporary = temporary(real);
    try {
      try (FileChannel channel = create(temporary);
          OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), BLOCK)) {
        keepPermissions(real, temporary);
        content.writeTo(out);
        out.flush();
        channel.force(true);
      }
      Files.move(temporary, real, StandardCopyOption.ATOMIC_MOVE);
      syncDirectory(real.getParent());
    } catch (IOException e) {
      throw unwritable(target, e);
    } finally {
      delete(temporary);
    }
  }

  /**
   * Proves that a file of some size can be written, by writing as much beside the target and
   * deleting it: to be called before hours of work whose result is to be written there.
   *
   * @param target where the file is to be
   * @param bytes its size, 0 or more
   * @throws InputException as {@link #write} would
   */
  public static void requireWritable(Path target, long bytes) {
    Path temporary = temporary(resolve(target));
    try (FileChannel channel = create(temporary)) {
      ByteBuffer block = ByteBuffer.allocate(BLOCK);
      for (long left = bytes; left > 0; ) {
        block.clear().limit((int) Math.min(left, BLOCK));
        left -= channel.write(block);
      }
      channel.force(true); // some file systems find that they are full only now
    } catch (IOException e) {
      throw unwritable(target, e);
    } finally {
      delete(temporary);
    }
  }

  private static Path resolve(Path target) {
    try {
      if (target.getFileName() == null) {
        throw new InputException(target + ": is a directory; name a file");
      }
      if (target.toAbsolutePath().startsWith("/proc")
          || (target.toAbsolutePath().startsWith("/dev")
              && !target.toAbsolutePath().startsWith("/dev/shm"))) {
        // Among them /dev/stdout: where it leads to a file, renaming would cut off its other
        // writers.
        throw new InputException(target + ": is not a regular file; name another");
      }
      Path real = Files.exists(target) ? target.toRealPath() : linked(target.toAbsolutePath());
      Path parent = real.getParent();
      if (Files.notExists(parent)) {
        throw new InputException(
            "%s: the directory %s does not exist; create it first".formatted(target, parent));
      }
      if (Files.isRegularFile(parent)) {
        throw new InputException(
            "%s: %s is not a directory; name another place".formatted(target, parent));
      }
      try {
        BasicFileAttributes attributes = Files.readAttributes(real, BasicFileAttributes.class);
        if (attributes.isDirectory()) {
          throw new InputException(target + ": is a directory; name a file");
        }
        if (!attributes.isRegularFile()) {
          throw new InputException(target + ": is not a regular file; name another");
        }
        if (!Files.isWritable(real)) {
          throw new InputException(target + ": is write-protected; name another file");
        }
      } catch (NoSuchFileException e) {
        // As it should be. Any other failure, such as too long a name, is reported.
      }
      return real;
    } catch (IOException e) {
      throw unwritable(target, e);
    }
  }

  /** Where a link to nothing, or to another one, leads. */
  private static Path linked(Path path) throws IOException {
    Path end = path;
    for (int i = 0; Files.isSymbolicLink(end); i++) {
      if (i == MOST_LINKS) {
        throw new FileSystemLoopException(path.toString());
      }
      end = end.resolveSibling(Files.readSymbolicLink(end));
    }
    return end;
  }

  private static void keepPermissions(Path from, Path to) throws IOException {
    if (Files.exists(from) && Files.getFileStore(from).supportsFileAttributeView("posix")) {
      Files.setPosixFilePermissions(to, Files.getPosixFilePermissions(from));
    }
  }

  /** A name that no other thread uses now; the same ones again and again, as none is forgotten. */
  private static Path temporary(Path real) {
    int number = 0;
    Path path;
    do {
      path = real.resolveSibling(".deltarule-" + TOKEN + "-" + number++ + ".tmp");
    } while (!UNFINISHED.add(path));
    // For the interrupt key, where no finally block runs; after the hooks that wait for a file.
    path.toFile().deleteOnExit();
    return path;
  }

  private static FileChannel create(Path path) throws IOException {
    return FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
  }

  private static void syncDirectory(Path directory) {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      // Not every system can sync a directory; the file itself is synced and complete.
    }
  }

  private static void delete(Path temporary) {
    try {
      Files.deleteIfExists(temporary);
    } catch (IOException e) {
      // The failure that led here is the one to report.
    }
    UNFINISHED.remove(temporary);
  }

  private static InputException unwritable(Path target, IOException e) {
    String reason = e instanceof FileSystemException f ? f.getReason() : e.getMessage();
    String text = String.valueOf(reason);
    String lower = text.toLowerCase(Locale.ROOT);
    String what;
    if (lower.contains("no space left") || lower.contains("quota")) {
      what = "the disk is full (" + text + "); free some space or name another place";
    } else if (e instanceof AccessDeniedException || lower.contains("read-only")) {
      what = "no file may be written there; name another place";
    } else {
      what = "cannot be written: " + (reason == null ? e.toString() : text);
    }
    return new InputException(target + ": " + what, e);
  }
}
