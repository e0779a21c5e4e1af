package io.deltarule.app;

import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/** Refuses options that would be ignored. */
final class Exclusions {
  private Exclusions() {}

  /**
   * Checks that none of some options was given.
   *
   * @param command that was parsed
   * @param when they mean nothing, in words
   * @param options their names
   */
  static void check(CommandLine command, String when, List<String> options) {
    for (String option : options) {
      if (command.getParseResult().hasMatchedOption(option)) {
        throw new ParameterException(command, option + " means nothing " + when);
      }
    }
  }
}
