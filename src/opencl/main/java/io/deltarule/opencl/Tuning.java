package io.deltarule.opencl;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is tuned for a device.
 *
 * @param tiles of the products, at least one: each takes the first that keeps the device busy and
 *     is not mostly empty, or the last
 */
record Tuning(List<Tile> tiles) {
  private static final Logger LOG = LoggerFactory.getLogger(Tuning.class);
  private static final String KIND = "opencl-tiles";

  static Tuning of(Tile... tiles) {
    return new Tuning(List.of(tiles));
  }

  static Tuning standard(Device device) {
    return new Tuning(Tile.standard(device));
  }

  static Path file(CacheFolder cache, Device device) {
    return cache.file(KIND, device.identity());
  }

  /** What was stored for this device and driver; the standard if there is nothing that fits. */
  static Tuning load(CacheFolder cache, Device device) {
    Tuning standard = standard(device);
    Path file = file(cache, device);
    try {
      if (Files.exists(file)) {
        Properties properties = new Properties();
        properties.load(new StringReader(Files.readString(file)));
        List<Tile> tiles = new ArrayList<>();
        for (int i = 0; i < standard.tiles.size(); i++) {
          tiles.add(tile(properties, name(i)));
        }
        if (device.identity().equals(properties.getProperty("device"))
            && tiles.stream().allMatch(tile -> tile.fits(device))) {
          return new Tuning(tiles);
        }
      }
    } catch (IOException | IllegalArgumentException e) {
      LOG.warn("opencl: the tuning in {} cannot be used: {}", file, e.getMessage());
    }
    return standard;
  }

  private static String name(int number) {
    return "tile" + (number + 1);
  }

  private static Tile tile(Properties properties, String name) {
    Map<String, Integer> numbers = new LinkedHashMap<>();
    for (String property : properties.stringPropertyNames()) {
      if (property.startsWith(name + ".")) {
        numbers.put(
            property.substring(name.length() + 1),
            Integer.valueOf(properties.getProperty(property)));
      }
    }
    return Tile.of(numbers);
  }

  void store(CacheFolder cache, Device device) throws IOException {
    StringBuilder text = new StringBuilder();
    text.append("# Written by: deltarule tune --engine opencl. May be deleted.\n");
    text.append("device=").append(device.identity().replace("\\", "\\\\")).append('\n');
    for (int i = 0; i < tiles.size(); i++) {
      String name = name(i);
      tiles.get(i).numbers().forEach((k, v) -> text.append("%s.%s=%d%n".formatted(name, k, v)));
    }
    CacheFolder.writeFile(file(cache, device), text.toString().getBytes(StandardCharsets.UTF_8));
  }
}
