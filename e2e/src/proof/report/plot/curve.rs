//! Curves in a box that is stretched to the width of the plot.

use maud::{Markup, html};

use super::axis::Rows;

/// How many units the box is wide, whatever its width in pixels.
const WIDTH: f64 = 1000.0;

/// A point as parts of the box, from 0 to 1; up is up.
pub type Point = (f64, f64);

/// How a curve goes from point to point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Straight.
    Line,
    /// Straight, and filled down to the axis.
    Area,
    /// As something that keeps its value until it has another.
    Steps,
}

/// These runs of points, each drawn by itself.
pub fn curve(class: &str, rows: Rows, shape: Shape, runs: &[Vec<Point>]) -> Markup {
    let path: String = runs.iter().map(|points| path(shape, f64::from(rows.height), points)).collect();
    html! {
        @if !path.is_empty() {
            svg y=(rows.top) width="100%" height=(rows.height) viewBox=(format!("0 0 {WIDTH} {}", rows.height))
                preserveAspectRatio="none" {
                path class=(class) d=(path) {}
            }
        }
    }
}

fn path(shape: Shape, height: f64, points: &[Point]) -> String {
    let place = |(x, y): Point| (x * WIDTH, (1.0 - y) * height);
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let (x, y) = place(*first);
    let mut path = match shape {
        Shape::Area => format!("M{x:.1} {height:.1}V{y:.1}"),
        Shape::Line | Shape::Steps => format!("M{x:.1} {y:.1}"),
    };
    for point in points.iter().skip(1) {
        let (x, y) = place(*point);
        path += &match shape {
            Shape::Line | Shape::Area => format!("L{x:.1} {y:.1}"),
            Shape::Steps => format!("H{x:.1}V{y:.1}"),
        };
    }
    match shape {
        Shape::Area => path += &format!("V{height:.1}Z"),
        // With round ends it is a dot.
        Shape::Line | Shape::Steps if points.len() == 1 => path += &format!("H{:.1}", place(*last).0),
        Shape::Line | Shape::Steps => {}
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_is_up() {
        assert_eq!(path(Shape::Line, 80.0, &[(0.0, 0.0), (0.5, 1.0)]), "M0.0 80.0L500.0 0.0");
    }

    #[test]
    fn an_area_reaches_down_to_the_axis_and_steps_keep_their_value() {
        let points = [(0.0, 0.5), (1.0, 1.0)];
        assert_eq!(path(Shape::Area, 80.0, &points), "M0.0 80.0V40.0L1000.0 0.0V80.0Z");
        assert_eq!(path(Shape::Steps, 80.0, &points), "M0.0 40.0H1000.0V0.0");
    }

    #[test]
    fn no_points_are_no_curve_and_one_is_a_dot() {
        assert_eq!(path(Shape::Area, 80.0, &[]), "");
        assert_eq!(path(Shape::Line, 80.0, &[(0.5, 0.5)]), "M500.0 40.0H500.0");
    }
}
