package io.deltarule.opencl;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoaderLibraryTest {
  @TempDir Path folder;

  @Test
  void isLookedForWhereTheLinkerLooks() throws IOException {
    assumeFalse(
        Files.exists(Path.of("/usr/lib/libOpenCL.so.1"))
            || Files.exists(Path.of("/usr/lib64/libOpenCL.so.1")),
        "the system's own library would always be found; run it on Debian or Ubuntu");
    Path cache = folder.resolve("cache");
    Path library = folder.resolve("libOpenCL.so.1");
    Files.writeString(cache, "glibc-ld\0\0libOpenCL.so.1\0" + library + "\0libc.so.6\0");
    assertFalse(LoaderLibrary.mayBeHere(cache, null), "the cache is out of date");
    assertFalse(LoaderLibrary.mayBeHere(cache, "/nowhere:" + folder));
    Files.createFile(library);
    assertTrue(LoaderLibrary.mayBeHere(cache, null));
    Files.writeString(cache, "glibc-ld");
    assertFalse(LoaderLibrary.mayBeHere(cache, null));
    assertTrue(LoaderLibrary.mayBeHere(cache, "/nowhere:" + folder));
    assertTrue(LoaderLibrary.mayBeHere(folder.resolve("none"), null), "no cache, no knowledge");
  }
}
