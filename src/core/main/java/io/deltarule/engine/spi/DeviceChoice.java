package io.deltarule.engine.spi;

import io.deltarule.engine.EngineUnavailableException;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Which device a user means, alike on every engine that has several. */
public final class DeviceChoice {

  private DeviceChoice() {}

  /**
   * The device that is asked for.
   *
   * @param <D> the engine's description of a device, whose text has its name
   * @param engine for the message
   * @param devices at least one, the best first
   * @param wish a number from 0 or a part of a name; empty for the best
   * @return the device
   * @throws EngineUnavailableException if there is none, naming those that there are
   */
  public static <D> D choose(String engine, List<D> devices, String wish) {
    if (wish.isEmpty()) {
      return devices.get(0);
    }
    if (wish.chars().allMatch(Character::isDigit) && wish.length() < 9) {
      int number = Integer.parseInt(wish);
      if (number < devices.size()) {
        return devices.get(number);
      }
    } else {
      String part = wish.toLowerCase(Locale.ROOT);
      for (D device : devices) {
        if (device.toString().toLowerCase(Locale.ROOT).contains(part)) {
          return device;
        }
      }
    }
    throw new EngineUnavailableException(
        engine + ": no device '" + wish + "'; there are " + list(devices));
  }

  /**
   * All devices with their numbers.
   *
   * @param devices the best first
   * @return one line
   */
  public static String list(List<?> devices) {
    return IntStream.range(0, devices.size())
        .mapToObj(i -> i + ": " + devices.get(i))
        .collect(Collectors.joining("; "));
  }
}
