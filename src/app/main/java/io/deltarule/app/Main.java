package io.deltarule.app;

import io.deltarule.data.InputException;
import io.deltarule.engine.EngineException;
import io.deltarule.engine.EngineUnavailableException;
import io.deltarule.training.TrainingException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParameterException;

/** The command line. Exit status: 0 done, 1 failed while running, 2 unusable arguments or input. */
@Command(
    name = "deltarule",
    description = "Trains stacks of dense layers by backpropagation, on a GPU or in pure Java.",
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      TrainCommand.class,
      EvaluateCommand.class,
      PredictCommand.class,
      EnginesCommand.class,
      VerifyCommand.class,
      GradcheckCommand.class,
      BenchCommand.class,
      TuneCommand.class
    },
    footer = {
      "",
      "Examples:",
      "  deltarule train examples/wdbc.csv",
      "  deltarule predict wdbc.safetensors examples/wdbc.csv --out predictions.csv",
      "",
      "deltarule COMMAND --help tells more."
    })
public final class Main implements Runnable {
  static final int DONE = 0;
  static final int FAILED = 1;
  static final int UNUSABLE = 2;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  private final Interruption interruption;

  private Main(Interruption interruption) {
    this.interruption = interruption;
  }

  /** Ctrl-C, for commands that have something to save. */
  static Interruption interruption(CommandLine.Model.CommandSpec command) {
    return ((Main) command.root().userObject()).interruption;
  }

  /**
   * Runs a command and exits with its status.
   *
   * @param arguments see {@code --help}
   */
  public static void main(String[] arguments) {
    Locale.setDefault(Locale.Category.FORMAT, Locale.ROOT); // digits that programs read, too
    PrintWriter out = new PrintWriter(System.out, false, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    System.exit(run(out, err, arguments));
  }

  /**
   * Runs a command.
   *
   * @param out results
   * @param err progress and errors
   * @param arguments see {@code --help}
   * @return the exit status
   */
  static int run(PrintWriter out, PrintWriter err, String... arguments) {
    try (Interruption interruption = new Interruption()) {
      int status = run(new CommandLine(new Main(interruption)), out, err, arguments);
      out.flush();
      if (out.checkError() && status == DONE) {
        return complain(err, "deltarule", "standard output cannot be written", FAILED);
      }
      return status;
    }
  }

  private static int run(CommandLine line, PrintWriter out, PrintWriter err, String[] arguments) {
    line.setOut(out);
    line.setErr(err);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setExpandAtFiles(false); // a column may be called @1
    line.setUsageHelpWidth(100);
    line.setParameterExceptionHandler(
        (e, args) -> {
          String command = e.getCommandLine().getCommandSpec().qualifiedName();
          return complain(err, command, e.getMessage(), UNUSABLE);
        });
    line.setExecutionExceptionHandler(
        (e, commandLine, result) -> report(err, commandLine.getCommandSpec().qualifiedName(), e));
    try {
      return line.execute(arguments);
    } catch (OutOfMemoryError e) {
      return complain(
          err,
          "deltarule",
          "out of memory: Java may use %,d MB; set JAVA_TOOL_OPTIONS=-Xmx..., or take fewer rows"
              .formatted(Runtime.getRuntime().maxMemory() >> 20),
          FAILED);
    }
  }

  private static int report(PrintWriter err, String command, Exception e) {
    if (e instanceof InputException || e instanceof EngineUnavailableException) {
      return complain(err, command, e.getMessage(), UNUSABLE);
    }
    if (e instanceof EngineException || e instanceof TrainingException) {
      return complain(err, command, e.getMessage(), FAILED);
    }
    // Anything else is a mistake of this program's, and its trace is what a report of it needs.
    e.printStackTrace(err);
    return complain(err, command, "internal error: " + e, FAILED);
  }

  private static int complain(PrintWriter err, String command, String message, int status) {
    err.println(command + ": " + String.valueOf(message).replaceAll("\\s*\\R\\s*", " "));
    err.flush();
    return status;
  }

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "a command is missing; deltarule --help lists them");
  }

  /** The version in the jar's manifest. */
  static final class Version implements CommandLine.IVersionProvider {
    Version() {}

    @Override
    public String[] getVersion() {
      return new String[] {"deltarule " + current()};
    }

    static String current() {
      String version = Main.class.getPackage().getImplementationVersion();
      return version == null ? "(unpackaged)" : version;
    }
  }
}
