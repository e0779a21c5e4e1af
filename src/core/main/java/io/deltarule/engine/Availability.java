package io.deltarule.engine;

/**
 * Whether an engine can be used on this machine.
 *
 * @param usable whether it can
 * @param detail the device in words if it can, otherwise the reason why not
 * @param remedy what to do about it, empty if it can
 */
public record Availability(boolean usable, String detail, String remedy) {

  /**
   * It can be used.
   *
   * @param device in words
   * @return the answer
   */
  public static Availability usable(String device) {
    return new Availability(true, device, "");
  }

  /**
   * It cannot be used.
   *
   * @param reason why not
   * @param remedy what to do about it
   * @return the answer
   */
  public static Availability unusable(String reason, String remedy) {
    return new Availability(false, reason, remedy);
  }
}
