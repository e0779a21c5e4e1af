package io.deltarule.app;

import io.deltarule.training.TrainingListener;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Progress on standard error: a bar on a terminal, elsewhere a line an epoch, a second apart at
 * least.
 */
final class ProgressReporter implements TrainingListener, AutoCloseable {
  private static final boolean TERMINAL = Boolean.getBoolean("deltarule.terminal");

  private final PrintWriter err;
  private final int epochs;
  private final long start = System.nanoTime();
  private ProgressBar bar; // on a terminal, from the first progress on
  private String losses = "";
  private String line = ""; // of the last epoch, if it has not been printed
  private long printed; // when a line was printed last

  ProgressReporter(PrintWriter err, int epochs) {
    this.err = err;
    this.epochs = epochs;
  }

  @Override
  public void progress(int epoch, int rows, int ofRows) {
    if (!TERMINAL) {
      return;
    }
    if (bar == null) {
      bar =
          new ProgressBarBuilder()
              .setTaskName("training")
              .setInitialMax((long) epochs * ofRows)
              .setUnit(" rows", 1)
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(200)
              .showSpeed()
              .continuousUpdate()
              .clearDisplayOnFinish()
              .build();
    }
    bar.stepTo((long) (epoch - 1) * ofRows + rows);
    bar.setExtraMessage(" epoch " + epoch + "/" + epochs + losses);
  }

  @Override
  public void epochEnded(Epoch epoch) {
    losses = String.format(Locale.ROOT, " loss %.4f", epoch.trainLoss());
    if (!Double.isNaN(epoch.validationLoss())) {
      losses += String.format(Locale.ROOT, ", validation %.4f", epoch.validationLoss());
    }
    if (!TERMINAL) {
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

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
    if (!line.isEmpty()) {
      printLine();
    }
  }
}
