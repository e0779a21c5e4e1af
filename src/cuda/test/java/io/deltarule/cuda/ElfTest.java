package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On JCublas2's own library, whole and damaged. */
class ElfTest {
  private static final String TWELVE = "libcublas.so.12";
  private static final String THIRTEEN = "libcublas.so.13";

  private byte[] library;

  @BeforeEach
  void readLibrary() throws IOException {
    library = Natives.cublasLibrary();
  }

  private Elf elf() throws IOException {
    return new Elf(ByteBuffer.wrap(library));
  }

  @Test
  void hashesAsTheSystemLibrariesDo() {
    assertEquals(0x09691a75, Elf.hash("GLIBC_2.2.5"));
    assertEquals(0x06969197, Elf.hash("GLIBC_2.17"));
  }

  @Test
  void readsItsOwnName() throws IOException {
    assertEquals("libJCublas2-12.6.0-linux-x86_64.so", elf().soname());
  }

  @Test
  void replacesTheNameAndTheVersionAndNothingElse() throws IOException {
    byte[] before = library.clone();
    assertTrue(elf().needed().contains(TWELVE), elf().needed()::toString);
    elf().replaceNeeded(TWELVE, THIRTEEN);

    assertTrue(elf().needed().contains(THIRTEEN), elf().needed()::toString);
    assertFalse(elf().needed().contains(TWELVE), elf().needed()::toString);
    byte[] after = library.clone();
    restore(after, before, ascii(THIRTEEN), ascii(TWELVE));
    restore(after, before, hash(THIRTEEN), hash(TWELVE));
    assertEquals(-1, Arrays.mismatch(before, after));

    IOException again =
        assertThrows(IOException.class, () -> elf().replaceNeeded(TWELVE, THIRTEEN));
    assertTrue(again.getMessage().contains("not " + TWELVE), again.getMessage());
    elf().replaceNeeded(THIRTEEN, TWELVE);
    assertEquals(-1, Arrays.mismatch(before, library));
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private static byte[] hash(String name) {
    int hash = Integer.reverseBytes(Elf.hash(name));
    return ByteBuffer.allocate(4).putInt(hash).array();
  }

  /** Puts the old bytes back where the first difference is, at which the new ones have to be. */
  private static void restore(byte[] after, byte[] before, byte[] with, byte[] without) {
    int difference = Arrays.mismatch(before, after);
    int within = Arrays.mismatch(with, without);
    int start = difference - within;
    assertTrue(Arrays.equals(after, start, start + with.length, with, 0, with.length));
    System.arraycopy(without, 0, after, start, without.length);
  }

  @Test
  void refusesANameOfAnotherLength() {
    assertThrows(
        IllegalArgumentException.class, () -> elf().replaceNeeded(TWELVE, "libcublas.so.8"));
  }

  @Test
  void refusesANeededLibraryWithoutItsSymbolVersion() throws IOException {
    String other = "libcublas.so.99";
    Elf elf = elf();
    elf.replaceNeeded(TWELVE, other);
    IOException none =
        assertThrows(IOException.class, () -> elf.replaceNeeded("libdl.so.2", "libdl.so.3"));
    assertEquals("needs no symbol version libdl.so.2", none.getMessage());
  }

  @Test
  void refusesWhatIsNotSuchAFile(@TempDir Path folder) throws IOException {
    byte[] bits32 = library.clone();
    bits32[4] = 1;
    byte[] bigEndian = library.clone();
    bigEndian[5] = 2;
    for (byte[] bytes :
        new byte[][] {{}, ascii("#!/bin/sh\n".repeat(9)), bits32, bigEndian, new byte[64]}) {
      Path file = Files.write(folder.resolve("library"), bytes);
      IOException e = assertThrows(IOException.class, () -> Elf.of(file));
      assertEquals("not a 64-bit little-endian ELF file", e.getMessage());
    }
  }

  /** A cut library would be loaded, and end the process when its end is used. */
  @Test
  void refusesWhatIsCutOff(@TempDir Path folder) throws IOException {
    for (int bytes : new int[] {64, 100, 4096, 50_000, library.length / 2}) {
      Path file = Files.write(folder.resolve("library"), Arrays.copyOf(library, bytes));
      IOException e = assertThrows(IOException.class, () -> Elf.of(file));
      assertTrue(e.getMessage().startsWith("cut off"), e.getMessage());
    }
  }

  @Test
  void neitherReadsNorWritesOutsideOfADamagedFile() throws IOException {
    byte[] rewritten = library.clone();
    new Elf(ByteBuffer.wrap(rewritten)).replaceNeeded(TWELVE, THIRTEEN);
    int name = Arrays.mismatch(library, rewritten);
    int version = name + 1 + Arrays.mismatch(tail(library, name), tail(rewritten, name));
    int[] places = {0, dynamicSection(), version - 200};
    Random random = new Random(1);
    int refused = 0;
    for (int i = 0; i < 600; i++) {
      byte[] damaged = library.clone();
      for (int j = 0; j < 3; j++) {
        int at = places[i % places.length] + random.nextInt(576);
        damaged[at] = (byte) (random.nextBoolean() ? 0xff : random.nextInt());
      }
      try {
        Elf elf = new Elf(ByteBuffer.wrap(damaged));
        elf.replaceNeeded(TWELVE, THIRTEEN);
        elf.soname();
      } catch (IOException e) {
        refused++; // and nothing else is thrown
      }
    }
    assertTrue(refused > 100, "most of these places matter: " + refused);
  }

  private static byte[] tail(byte[] bytes, int after) {
    return Arrays.copyOfRange(bytes, after + 1, bytes.length);
  }

  private int dynamicSection() {
    ByteBuffer file = ByteBuffer.wrap(library).order(ByteOrder.LITTLE_ENDIAN);
    int header = 64;
    while (file.getInt(header) != 2) {
      header += 56;
    }
    return (int) file.getLong(header + 8);
  }
}
