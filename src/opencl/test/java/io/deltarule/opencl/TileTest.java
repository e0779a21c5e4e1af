package io.deltarule.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TileTest {

  /** A device that is only numbers. */
  private static Device device(boolean cpu, int vectorWidth, long items, long local) {
    return new Device(
        null, "p", "n", "d", !cpu, cpu, true, 4, vectorWidth, items, local, 1 << 30, 1 << 28);
  }

  @Test
  void standardTilesFitEveryDevice() {
    for (boolean cpu : new boolean[] {true, false}) {
      for (int width : new int[] {1, 2, 4, 8, 16}) {
        for (long items : new long[] {1, 2, 16, 64, 128, 256, 1024, 4096}) {
          for (long local : new long[] {1 << 10, 4 << 10, 16 << 10, 32 << 10, 512 << 10}) {
            Device device = device(cpu, width, items, local);
            assertTrue(Tile.large(device).fits(device), () -> device + ": " + Tile.large(device));
            assertTrue(Tile.small(device).fits(device), () -> device + ": " + Tile.small(device));
          }
        }
      }
    }
  }

  @Test
  void theTilesOfGpusFitTheSmallest() {
    Device device = device(false, 1, TestDevice.SMALL_ITEMS, TestDevice.SMALL_LOCAL_BYTES);
    assertEquals(Tile.GPU_LARGE, Tile.large(device));
    assertEquals(Tile.GPU_SMALL, Tile.small(device));
  }

  @Test
  void neighboursDifferAndFit() {
    Device device = device(false, 1, 256, 32 << 10);
    List<Tile> neighbours = Tile.GPU_LARGE.neighbours(device);
    assertTrue(neighbours.size() > 20, neighbours::toString);
    for (Tile neighbour : neighbours) {
      assertNotEquals(Tile.GPU_LARGE, neighbour);
      assertTrue(neighbour.fits(device), neighbour::toString);
    }
  }

  @Test
  void whatIsNoTileIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> new Tile(1, 1, 1, 1, 3, 16, false, false));
    assertThrows(IllegalArgumentException.class, () -> new Tile(0, 1, 1, 1, 1, 16, false, false));
    assertThrows(IllegalArgumentException.class, () -> new Tile(1, 1, 1, 1, 8, 4, true, true));
    assertThrows(
        IllegalArgumentException.class,
        () -> new Tile(1 << 20, 1 << 20, 8, 1, 1, 16, false, false));
  }

  @Test
  void aTuningIsKeptForItsDevice(@TempDir Path folder) throws IOException {
    CacheFolder cache = new CacheFolder(folder);
    Device device = device(false, 1, 256, 32 << 10);
    Tuning tuning = new Tuning(new Tile(4, 4, 4, 2, 4, 32, true, false), Tile.GPU_SMALL);
    assertEquals(Tuning.standard(device), Tuning.load(cache, device));
    tuning.store(cache, device);
    assertEquals(tuning, Tuning.load(cache, device));
    Device smaller = device.limited(8, 1 << 30, 1 << 30, 1 << 30);
    assertEquals(Tuning.standard(smaller), Tuning.load(cache, smaller), "does not fit any more");
    for (String damage : List.of("", "large.gx=x", "device=another", "large.gx=4\nlarge.vw=5")) {
      Files.writeString(Tuning.file(cache, device), damage);
      assertEquals(Tuning.standard(device), Tuning.load(cache, device), damage);
    }
  }
}
