package io.deltarule.app;

import io.deltarule.training.TrainingListener;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Progress on standard error: a bar on a terminal, elsewhere a line an epoch, a second apart at
 * least.
 */
final class ProgressReporter implements TrainingListener, AutoCloseable {
  /** The columns of the terminal that standard error is, 0 if it is none; the launcher knows. */
  private static final int COLUMNS = Integer.getInteger("deltarule.terminal.columns", 0);

  private final PrintWriter err;
  private final int epochs;
  private final long start = System.nanoTime();
  private final ProgressBar bar; // on a terminal, else null
  private String losses = "";
  private String line = ""; // of the last epoch, if it has not been printed
  private long printed; // when a line was printed last

  ProgressReporter(PrintWriter err, int epochs, int rows) {
    this.err = err;
    this.epochs = epochs;
    bar =
        COLUMNS > 0
            ? new ProgressBarBuilder()
                .setTaskName("training")
                .setInitialMax((long) epochs * rows)
                .setUnit(" rows", 1)
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(200)
                .showSpeed()
                .continuousUpdate()
                // A consumer of our own: the library's terminal takes Ctrl-C from the JVM.
                .setConsumer(new DelegatingProgressBarConsumer(this::redraw, COLUMNS - 1))
                .build()
            : null;
  }

  private void redraw(String text) {
    err.print("\r" + text);
    err.flush();
  }

  @Override
  public void streaming(String reason) {
    clearBar();
    err.println("the rows stay on the host and are sent batch by batch: " + reason);
    err.flush();
  }

  @Override
  public void progress(int epoch, int rows, int ofRows) {
    if (bar != null) {
      bar.stepTo((long) (epoch - 1) * ofRows + rows);
      bar.setExtraMessage(" epoch " + epoch + "/" + epochs + losses);
    }
  }

  @Override
  public void epochEnded(Epoch epoch) {
    losses = String.format(Locale.ROOT, " loss %.4f", epoch.trainLoss());
    if (!Double.isNaN(epoch.validationLoss())) {
      losses += String.format(Locale.ROOT, ", validation %.4f", epoch.validationLoss());
    }
    if (bar == null) {
      double elapsed = (System.nanoTime() - start) * 1e-9;
      Duration left =
          Duration.ofSeconds(Math.round(elapsed / epoch.number() * (epochs - epoch.number())));
      line =
          String.format(
              Locale.ROOT,
              "epoch %d/%d:%s%s, %,.0f rows/s, at most %s left",
              epoch.number(),
              epochs,
              losses,
              epoch.best() ? " *" : "",
              epoch.rows() / epoch.seconds(),
              clock(left));
      if (epoch.number() == 1 || System.nanoTime() - printed > 1_000_000_000) {
        printLine();
      }
    }
  }

  private void printLine() {
    err.println(line);
    err.flush();
    line = "";
    printed = System.nanoTime();
  }

  private static String clock(Duration time) {
    return time.toHours() > 0
        ? "%d:%02d:%02d".formatted(time.toHours(), time.toMinutesPart(), time.toSecondsPart())
        : "%d:%02d".formatted(time.toMinutes(), time.toSecondsPart());
  }

  /** What follows begins on a clean line. */
  private void clearBar() {
    if (bar != null) {
      redraw(" ".repeat(COLUMNS - 1) + "\r");
    }
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
    clearBar();
    if (!line.isEmpty()) {
      printLine();
    }
  }
}
