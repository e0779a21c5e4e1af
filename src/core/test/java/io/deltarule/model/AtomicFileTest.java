package io.deltarule.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.deltarule.data.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
  private static final byte[] OLD = {1, 2};
  private static final byte[] NEW = {3, 4, 5};

  @TempDir Path directory;

  private List<Path> files() throws IOException {
    try (Stream<Path> list = Files.list(directory)) {
      return list.sorted().toList();
    }
  }

  /** Writing and asking whether one can both fail with this message and leave nothing behind. */
  private void assertRefused(String message, Path target) throws IOException {
    List<Path> before = files();
    assertEquals(
        message,
        assertThrows(InputException.class, () -> AtomicFile.write(target, out -> out.write(NEW)))
            .getMessage());
    assertEquals(
        message,
        assertThrows(InputException.class, () -> AtomicFile.requireWritable(target, 1))
            .getMessage());
    assertEquals(before, files());
  }

  @Test
  void writesAndReplaces() throws Exception {
    Path target = directory.resolve("f");
    AtomicFile.write(target, out -> out.write(OLD));
    assertArrayEquals(OLD, Files.readAllBytes(target));
    AtomicFile.write(target, out -> out.write(NEW));
    assertArrayEquals(NEW, Files.readAllBytes(target));
    assertEquals(List.of(target), files());
  }

  @Test
  void aFailureLeavesTheTargetAndNothingElse() throws Exception {
    Path target = Files.write(directory.resolve("f"), OLD);
    IllegalStateException bug = new IllegalStateException();
    assertSame(
        bug,
        assertThrows(
            IllegalStateException.class,
            () ->
                AtomicFile.write(
                    target,
                    out -> {
                      out.write(new byte[1 << 20]);
                      throw bug;
                    })));
    assertArrayEquals(OLD, Files.readAllBytes(target));
    assertEquals(List.of(target), files());
  }

  @Test
  void aFullDiskIsSaid() throws Exception {
    Path target = directory.resolve("f");
    assertEquals(
        target
            + ": the disk is full (No space left on device); free some space or name another place",
        assertThrows(
                InputException.class,
                () ->
                    AtomicFile.write(
                        target,
                        out -> {
                          throw new IOException("No space left on device");
                        }))
            .getMessage());
    assertEquals(List.of(), files());
  }

  @Test
  void asksForTheWholeSizeAndLeavesNothing() throws Exception {
    Path target = Files.write(directory.resolve("f"), OLD);
    AtomicFile.requireWritable(target, 0);
    AtomicFile.requireWritable(target, 200_001);
    assertArrayEquals(OLD, Files.readAllBytes(target));
    assertEquals(List.of(target), files());
  }

  @Test
  void whatIsNoFileIsRefused() throws Exception {
    assertRefused(directory + ": is a directory; name a file", directory);
    assertRefused("/: is a directory; name a file", Path.of("/"));
    Path lost = directory.resolve("no/f");
    assertRefused(
        lost + ": the directory " + directory.resolve("no") + " does not exist; create it first",
        lost);
    Path file = Files.write(directory.resolve("file"), OLD);
    Path below = file.resolve("f");
    assertRefused(below + ": " + file + " is not a directory; name another place", below);
    Path longName = directory.resolve("n".repeat(300));
    assertRefused(longName + ": cannot be written: File name too long", longName);
  }

  @Test
  void aDeviceIsRefused() throws Exception {
    assertRefused("/dev/stdout: is not a regular file; name another", Path.of("/dev/stdout"));
    assumeTrue(Files.exists(Path.of("/dev/full")), "no /dev/full here");
    Path link = Files.createSymbolicLink(directory.resolve("full"), Path.of("/dev/full"));
    assertRefused(link + ": is not a regular file; name another", link);
    Files.delete(link); // JUnit warns of links that lead out of its directory
  }

  @Test
  void aPlaceWithoutPermissionIsRefused() throws Exception {
    Path locked = Files.createDirectory(directory.resolve("locked"));
    Path target = locked.resolve("f");
    Files.setPosixFilePermissions(locked, PosixFilePermissions.fromString("r-xr-xr-x"));
    assumeFalse(Files.isWritable(locked), "root may write everywhere");
    assertRefused(target + ": no file may be written there; name another place", target);
    Path kept = Files.write(directory.resolve("kept"), OLD);
    Files.setPosixFilePermissions(kept, PosixFilePermissions.fromString("r--r--r--"));
    assertRefused(kept + ": is write-protected; name another file", kept);
  }

  @Test
  void aSymbolicLinkStaysOne() throws Exception {
    Path target = Files.write(directory.resolve("f"), OLD);
    Path link = Files.createSymbolicLink(directory.resolve("link"), target);
    AtomicFile.write(link, out -> out.write(NEW));
    assertTrue(Files.isSymbolicLink(link));
    assertArrayEquals(NEW, Files.readAllBytes(target));

    Path absent = directory.resolve("absent");
    Path second = Files.createSymbolicLink(directory.resolve("second"), Path.of("third"));
    Files.createSymbolicLink(directory.resolve("third"), absent);
    AtomicFile.write(second, out -> out.write(NEW));
    assertTrue(Files.isSymbolicLink(second));
    assertTrue(Files.isSymbolicLink(directory.resolve("third")));
    assertArrayEquals(NEW, Files.readAllBytes(absent));

    Path loop = Files.createSymbolicLink(directory.resolve("loop"), Path.of("loop"));
    assertThrows(InputException.class, () -> AtomicFile.write(loop, out -> out.write(NEW)));
    assertTrue(Files.isSymbolicLink(loop));
    Files.delete(loop);
  }

  @Test
  void theFileIsAsReadableAsAnyOther() throws Exception {
    Path plain = Files.write(directory.resolve("plain"), OLD);
    Path target = directory.resolve("f");
    AtomicFile.write(target, out -> out.write(NEW));
    assertEquals(Files.getPosixFilePermissions(plain), Files.getPosixFilePermissions(target));
    assertFalse(Files.isExecutable(target));
  }

  @Test
  void aFileThatIsReplacedKeepsItsPermissions() throws Exception {
    Path target = Files.write(directory.resolve("f"), OLD);
    Files.setPosixFilePermissions(target, PosixFilePermissions.fromString("rw-rw----"));
    AtomicFile.write(target, out -> out.write(NEW));
    assertEquals("rw-rw----", PosixFilePermissions.toString(Files.getPosixFilePermissions(target)));
  }

  /** The command line goes down only after it has saved: until then nobody may delete. */
  @Test
  void aFileThatIsWaitedForOnExitIsWhole() throws Exception {
    Path target = directory.resolve("f");
    exitWhileWriting(target, true);
    assertArrayEquals(NEW, Files.readAllBytes(target));
    try (Stream<Path> list = Files.list(directory)) {
      assertEquals(List.of(target), list.toList());
    }
  }

  @Test
  void aFileThatIsNotWaitedForOnExitLeavesNothing() throws Exception {
    exitWhileWriting(directory.resolve("f"), false);
    try (Stream<Path> list = Files.list(directory)) {
      assertEquals(List.of(), list.toList());
    }
  }

  private static void exitWhileWriting(Path target, boolean waits) throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                ExitWhileWriting.class.getName(),
                target.toString(),
                String.valueOf(waits))
            .inheritIO()
            .start();
    boolean ended = process.waitFor(60, TimeUnit.SECONDS);
    process.destroyForcibly();
    assertTrue(ended);
  }

  /** Exits while a file is being written, with a hook that waits for it or without. */
  static final class ExitWhileWriting {
    private ExitWhileWriting() {}

    public static void main(String[] arguments) {
      CountDownLatch exiting = new CountDownLatch(1);
      CountDownLatch written = new CountDownLatch(1);
      boolean waits = Boolean.parseBoolean(arguments[1]);
      Runtime.getRuntime()
          .addShutdownHook(
              new Thread(
                  () -> {
                    exiting.countDown();
                    if (waits) {
                      await(written);
                    }
                  }));
      try {
        AtomicFile.write(
            Path.of(arguments[0]),
            out -> {
              new Thread(() -> System.exit(0)).start();
              await(exiting);
              if (!waits) {
                await(new CountDownLatch(1)); // for ever
              }
              LockSupport.parkNanos(500_000_000); // longer than other hooks take
              out.write(NEW);
            });
      } finally {
        written.countDown();
      }
    }

    private static void await(CountDownLatch latch) {
      try {
        latch.await();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
