package io.deltarule.app;

import io.deltarule.engine.UpdateRule;
import io.deltarule.training.TrainingOptions;

/** The update rules by the names and with the defaults of the command line. */
enum Optimizer {
  SGD(new UpdateRule.Sgd(), 0.1, 0),
  MOMENTUM(new UpdateRule.Momentum(0.9f), 0.01, 0),
  ADAM(TrainingOptions.ADAM, TrainingOptions.DEFAULT.learningRate(), 0),
  ADAMW(TrainingOptions.ADAM, TrainingOptions.DEFAULT.learningRate(), 0.01);

  private final UpdateRule rule;
  private final double learningRate;
  private final double weightDecay;

  Optimizer(UpdateRule rule, double learningRate, double weightDecay) {
    this.rule = rule;
    this.learningRate = learningRate;
    this.weightDecay = weightDecay;
  }

  UpdateRule rule() {
    return rule;
  }

  double learningRate() {
    return learningRate;
  }

  double weightDecay() {
    return weightDecay;
  }
}
