package io.deltarule.engine.spi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class PrivateFolderTest {
  private static final String TEMPORARY = "java.io.tmpdir";

  private final String before = System.getProperty(TEMPORARY);

  @Test
  void isThereForTheLoadingAlone() {
    List<Path> folders = new ArrayList<>();
    PrivateFolder.run(
        "deltarule-test",
        folder -> {
          folders.add(folder);
          assertEquals(folder.toString(), System.getProperty(TEMPORARY));
          Files.writeString(folder.resolve("library"), "extracted");
        });
    assertFalse(Files.exists(folders.get(0)));
    assertEquals(before, System.getProperty(TEMPORARY));
  }

  @Test
  void aFailureLeavesThePropertyAsItWas() {
    UnsatisfiedLinkError error = new UnsatisfiedLinkError("a test");
    assertSame(
        error,
        assertThrows(
            UnsatisfiedLinkError.class,
            () ->
                PrivateFolder.run(
                    "deltarule-test",
                    folder -> {
                      throw error;
                    })));
    assertEquals(before, System.getProperty(TEMPORARY));
  }

  @Test
  void loadingsAtTheSameTimeTakeTurns() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Future<?>> all = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        all.add(
            threads.submit(
                () ->
                    PrivateFolder.run(
                        "deltarule-test",
                        folder -> {
                          Thread.yield();
                          assertEquals(folder.toString(), System.getProperty(TEMPORARY));
                          assertTrue(Files.isDirectory(folder));
                        })));
      }
      for (Future<?> one : all) {
        one.get();
      }
      assertEquals(before, System.getProperty(TEMPORARY));
    } finally {
      threads.shutdownNow();
    }
  }
}
