package io.deltarule.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
            for (Tile tile : Tile.standard(device)) {
              assertTrue(tile.fits(device), () -> device + ": " + tile);
            }
          }
        }
      }
    }
  }

  @Test
  void tilesBecomeSmaller() {
    for (Device device :
        List.of(device(true, 16, 4096, 512 << 10), device(false, 1, 256, 32 << 10))) {
      List<Tile> tiles = Tile.standard(device);
      for (int i = 1; i < tiles.size(); i++) {
        assertTrue(area(tiles.get(i)) <= area(tiles.get(i - 1)), tiles::toString);
      }
    }
  }

  private static int area(Tile tile) {
    return tile.rows() * tile.columns();
  }

  @Test
  void neighboursDifferAndFit() {
    Device device = device(false, 1, 256, 32 << 10);
    Tile tile = Tile.standard(device).get(0);
    List<Tile> neighbours = tile.neighbours(device);
    assertTrue(neighbours.size() > 20, neighbours::toString);
    for (Tile neighbour : neighbours) {
      assertNotEquals(tile, neighbour);
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
    List<Tile> tiles = new ArrayList<>(Tile.standard(device));
    tiles.set(0, new Tile(4, 4, 4, 2, 4, 32, true, false));
    Tuning tuning = new Tuning(tiles);
    assertEquals(Tuning.standard(device), Tuning.load(cache, device));
    tuning.store(cache, device);
    assertEquals(tuning, Tuning.load(cache, device));
    Device smaller = device.limited(8, 1 << 30, 1 << 30, 1 << 30);
    assertEquals(Tuning.standard(smaller), Tuning.load(cache, smaller), "does not fit any more");
    for (String damage : List.of("", "tile1.gx=x", "device=another", "tile1.gx=4\ntile1.vw=5")) {
      Files.writeString(Tuning.file(cache, device), damage);
      assertEquals(Tuning.standard(device), Tuning.load(cache, device), damage);
    }
  }
}
