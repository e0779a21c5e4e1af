package io.deltarule.opencl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_program;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CacheFolderTest {
  private static final byte[] CONTENT = {1, 2, 3, 4, 5};

  @TempDir private Path folder;

  @Test
  void keepsEntriesByKey() throws IOException {
    CacheFolder cache = new CacheFolder(folder.resolve("new/one"));
    assertEquals(Optional.empty(), cache.read("kind", "key"));
    cache.write("kind", "key", CONTENT);
    assertArrayEquals(CONTENT, cache.read("kind", "key").orElseThrow());
    assertEquals(Optional.empty(), cache.read("kind", "other"));
    assertEquals(Optional.empty(), cache.read("other", "key"));
    cache.write("kind", "key", new byte[0]);
    assertArrayEquals(new byte[0], cache.read("kind", "key").orElseThrow());
    try (Stream<Path> files = Files.list(folder.resolve("new/one"))) {
      assertEquals(1, files.count(), "nothing temporary stays");
    }
  }

  @Test
  void damagedAndForeignEntriesAreNone() throws IOException {
    CacheFolder cache = new CacheFolder(folder);
    cache.write("kind", "key", CONTENT);
    byte[] entry = Files.readAllBytes(cache.file("kind", "key"));
    for (int i = 0; i < entry.length; i++) {
      byte[] damaged = entry.clone();
      damaged[i] ^= 1;
      Files.write(cache.file("kind", "key"), damaged);
      assertEquals(Optional.empty(), cache.read("kind", "key"));
    }
    Files.write(cache.file("kind", "key"), new byte[3]);
    assertEquals(Optional.empty(), cache.read("kind", "key"));
    Files.write(cache.file("kind", "other"), entry);
    assertEquals(Optional.empty(), cache.read("kind", "other"), "of another key");
  }

  @Test
  void withoutAFolderNothingIsKept() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "in the way");
    for (CacheFolder cache : new CacheFolder[] {new CacheFolder(file), CacheFolder.none()}) {
      cache.write("kind", "key", CONTENT);
      assertEquals(Optional.empty(), cache.read("kind", "key"));
    }
  }

  @Test
  void programsComeFromTheCacheUnlessItIsWrong() {
    Device device = TestDevice.require();
    CacheFolder cache = new CacheFolder(folder);
    String source = "kernel void nothing(global int *p) { p[0] = N; }";
    String key = device.identity() + "\n-cl-std=CL1.2 -DN=1\n" + source;
    int before = Cl.live();
    cl_context context = Cl.context(device);
    cl_command_queue queue = Cl.queue(context, device);
    Programs programs = new Programs(context, device, cache);
    build(programs, source);
    byte[] binary = cache.read("opencl-program", key).orElseThrow();
    assertTrue(binary.length > 0);
    build(programs, source);
    assertArrayEquals(binary, cache.read("opencl-program", key).orElseThrow(), "taken as it was");
    cache.write("opencl-program", key, CONTENT); // well kept, but no program
    build(programs, source);
    assertTrue(cache.read("opencl-program", key).orElseThrow().length > CONTENT.length, "anew");
    Cl.release(queue);
    Cl.release(context);
    assertEquals(before, Cl.live());
  }

  private static void build(Programs programs, String source) {
    cl_program program = programs.build(source, "-DN=1");
    Cl.release(Cl.kernel(program, "nothing"));
    Cl.release(program);
  }
}
