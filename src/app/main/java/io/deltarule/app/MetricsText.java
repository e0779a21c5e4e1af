package io.deltarule.app;

import io.deltarule.data.TargetEncoding;
import io.deltarule.training.Metrics;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;

/** Metrics for people and for JSON; errors of linear outputs in the label's unit. */
final class MetricsText {
  private MetricsText() {}

  static String line(Metrics metrics, TargetEncoding targets) {
    List<String> parts = new ArrayList<>();
    add(parts, "loss %.4f", OptionalDouble.of(metrics.loss()));
    add(parts, "accuracy %.4f", metrics.accuracy());
    add(parts, "AUC %.4f", metrics.auc());
    add(parts, "RMSE %.6g", rmse(metrics, targets));
    add(parts, "R2 %.4f", metrics.r2());
    return String.join(", ", parts) + String.format(Locale.ROOT, " (%,d rows)", metrics.rows());
  }

  /** Tells of a loss that says nothing. */
  static void warn(Metrics metrics, PrintWriter err) {
    if (!Double.isFinite(metrics.loss())) {
      err.println("warning: the loss is not finite; are the features in range?");
    }
  }

  private static void add(List<String> parts, String format, OptionalDouble value) {
    value.ifPresent(v -> parts.add(String.format(Locale.ROOT, format, v)));
  }

  static void put(Map<String, Object> json, Metrics metrics, TargetEncoding targets) {
    json.put("test_rows", metrics.rows());
    json.put("test_loss", metrics.loss());
    metrics.accuracy().ifPresent(v -> json.put("accuracy", v));
    metrics.auc().ifPresent(v -> json.put("auc", v));
    rmse(metrics, targets).ifPresent(v -> json.put("rmse", v));
    metrics.r2().ifPresent(v -> json.put("r2", v));
  }

  private static OptionalDouble rmse(Metrics metrics, TargetEncoding targets) {
    return metrics.rmse().isPresent()
        ? OptionalDouble.of(metrics.rmse().getAsDouble() * targets.deviation())
        : OptionalDouble.empty();
  }
}
